"""The texts of Asterisk's recorded prompts: `core-sounds-<language>.txt`, one `name: text` a line. Pure."""

import re

# Files whose text describes a sound instead of giving words (Italian writes "un suono beep" without brackets).
_SOUNDS = {
    "beep",
    "beeperr",
    "ascending-2tone",
    "descending-2tone",
    "confbridge-join",
    "confbridge-leave",
    "tt-monkeys",
}
# Remarks of the authors: [@], (simple tone sound plays), <beep ascending>.
_REMARK = re.compile(r"\[[^]]*\]|\([^)]*\)|<[^>]*>")
# A letter that was lost when the authors changed the encoding: "il tempo sar? esattamente".
_LOST_LETTER = re.compile(r"\ufffd|\w\?(?=\s*[^\W\d_A-ZÀ-ÞА-Я])")


def parse(text: str) -> dict[str, str]:
    """Name -> spoken words, for the prompts that are speech with a text that can be trusted.

    Names look like `demo-congrats` or `digits/3`. Comments (`;`), tones, silence and lines with lost letters are left
    out; remarks in brackets and the dots before a fragment of a sentence are taken off.
    """
    spoken: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        name, _, rest = line.partition(":")
        words = " ".join(_REMARK.sub(" ", rest).split()).removeprefix("...").strip()
        if name.startswith((";", "silence/")) or name in _SOUNDS or _LOST_LETTER.search(words):
            continue
        if any(character.isalnum() for character in words):
            spoken[name.strip()] = words
    return spoken
