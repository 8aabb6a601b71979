"""The languages Whisper knows: code → English name, as OpenAI's verbose_json spells it."""

from __future__ import annotations

from typing import Final

_TABLE: Final = (
    "af afrikaans,am amharic,ar arabic,as assamese,az azerbaijani,ba bashkir,be belarusian,bg bulgarian,bn bengali,"
    "bo tibetan,br breton,bs bosnian,ca catalan,cs czech,cy welsh,da danish,de german,el greek,en english,es spanish,"
    "et estonian,eu basque,fa persian,fi finnish,fo faroese,fr french,gl galician,gu gujarati,ha hausa,haw hawaiian,"
    "he hebrew,hi hindi,hr croatian,ht haitian creole,hu hungarian,hy armenian,id indonesian,is icelandic,it italian,"
    "ja japanese,jw javanese,ka georgian,kk kazakh,km khmer,kn kannada,ko korean,la latin,lb luxembourgish,ln lingala,"
    "lo lao,lt lithuanian,lv latvian,mg malagasy,mi maori,mk macedonian,ml malayalam,mn mongolian,mr marathi,ms malay,"
    "mt maltese,my myanmar,ne nepali,nl dutch,nn nynorsk,no norwegian,oc occitan,pa punjabi,pl polish,ps pashto,"
    "pt portuguese,ro romanian,ru russian,sa sanskrit,sd sindhi,si sinhala,sk slovak,sl slovenian,sn shona,so somali,"
    "sq albanian,sr serbian,su sundanese,sv swedish,sw swahili,ta tamil,te telugu,tg tajik,th thai,tk turkmen,"
    "tl tagalog,tr turkish,tt tatar,uk ukrainian,ur urdu,uz uzbek,vi vietnamese,yi yiddish,yo yoruba,yue cantonese,"
    "zh chinese"
)

LANGUAGES: Final[dict[str, str]] = {row.split()[0]: row.split(" ", 1)[1] for row in _TABLE.split(",")}
"""Code → name, e.g. ``{"en": "english"}``."""

UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces between words."""

_CODES: Final = {name: code for code, name in LANGUAGES.items()} | {
    "burmese": "my",
    "castilian": "es",
    "flemish": "nl",
    "mandarin": "zh",
    "moldovan": "ro",
}


def language_code(text: str) -> str | None:
    """The code for a code, a locale (``pt-BR``) or an English name in any case; None if Whisper does not know it."""
    plain = text.strip().lower().replace("_", "-")
    primary = plain.split("-", 1)[0]
    return primary if primary in LANGUAGES else _CODES.get(plain)


def language_name(code: str) -> str:
    """The English name of a code, or the code itself where there is none."""
    return LANGUAGES.get(code, code)
