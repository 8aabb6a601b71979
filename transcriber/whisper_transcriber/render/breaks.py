"""How well a text can be broken between two words: the better the place, the lower the cost."""

# ruff: noqa: RUF001 — other scripts' marks and letters are meant

from __future__ import annotations

from typing import Final

SENTENCE, PAUSED, CLAUSE, BEFORE_LINK, ANYWHERE, AFTER_LINK = 0.0, 0.5, 1.0, 2.0, 5.0, 8.0

_CLOSERS: Final = "\"'”’»)]}」』）"
_SENTENCE_ENDS: Final = (".", "!", "?", "…", "。", "！", "？", "؟", "।", "։")
_CLAUSE_ENDS: Final = (",", ";", ":", "—", "–", "、", "，", "；", "：", "،")
_ABBREVIATIONS: Final = " mr. mrs. ms. dr. st. prof. no. vs. e.g. i.e. z.b. bzw. sr. sra. m. mme. sig. "
_PAUSE: Final = 0.6  # seconds of silence between two words that are heard as a break

# Conjunctions, prepositions and articles: they belong to what follows. By the language of the text.
_LINKS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "a an the and or but nor so if because although though while when where which that who whose than as "
        "to of in on at by for from with without into onto about over under between through during before after "
        "until since my your his her its our their",
        "de": "der die das dem den des ein eine einen einem einer und oder aber denn weil dass wenn als ob sondern "
        "während obwohl in im an am auf aus bei mit nach von vom zu zum zur für über unter durch gegen ohne um vor",
        "es": "el la los las un una unos unas y e o u pero porque que si cuando como donde aunque mientras a al de del "
        "en con por para sin sobre entre desde hasta su sus mi",
        "fr": "le la les l' un une des et ou mais donc car que qui si quand comme où parce puisque à au aux de du en "
        "dans sur sous avec sans pour par entre chez vers son sa ses",
        "it": "il lo la i gli le un uno una e ed o ma perché che se quando come dove mentre a ad al alla di del della "
        "da dal in nel nella con su sul per tra fra senza",
        "pt": "o a os as um uma e ou mas porque que se quando como onde embora de do da dos das em no na nos nas com "
        "por para sem sobre entre até",
        "ru": "и а но или что чтобы если когда где как потому который в во на с со к ко по из от до за о об у при для "
        "без над под перед через между не",
    }.items()
}


def break_cost(before: str, after: str, pause: float, language: str) -> float:
    """The cost of a break between two words of a language (ISO 639-1), `pause` seconds of silence apart."""
    bare = before.rstrip(_CLOSERS)
    if bare.endswith(_SENTENCE_ENDS) and not _abbreviated(bare):
        return SENTENCE
    if pause >= _PAUSE:
        return PAUSED
    if bare.endswith(_CLAUSE_ENDS):
        return CLAUSE
    links = _LINKS.get(language, frozenset())
    if _plain(before) in links:
        return AFTER_LINK
    return BEFORE_LINK if _plain(after) in links else ANYWHERE


def _abbreviated(word: str) -> bool:
    """Whether the full stop ends an abbreviation or an initial rather than a sentence."""
    initial = len(word) == 2 and word[0].isupper() and word != "I."
    return f" {word.lower()} " in _ABBREVIATIONS or (initial and word.endswith("."))


def _plain(word: str) -> str:
    return word.lower().strip("\"'“”‘’«»()[]¿¡.,;:!?")
