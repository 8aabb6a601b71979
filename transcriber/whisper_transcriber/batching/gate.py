"""Is a decoded window good enough, was there speech at all, and which of several tries is best: pure.

Two witnesses are heard: the decoder, and the voice detector where it listened. The figures are those of `base` and
`tiny.en`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from whisper_transcriber.domain.window import Heard, Stretch
from whisper_transcriber.engine.port import Decoded

MOST_REPETITIVE: Final = 2.4  # compression ratio, a byte a character; above it the decoder is in a loop
LEAST_LOGPROB: Final = -1.0
SILENCE: Final = 0.6  # probability of no speech; openai-whisper's

# Of music, beeps and clicks, what the detector took for speech lasted 0.1 to 0.45 s with 0.36 to 0.47 on the average,
# and the decoder saw no speech in it with 0.5 to 0.9. Human speech had 0.7 and more, in noise and at -40 dB too; a
# letter alone lasted 0.6 s, and the decoder saw no speech in it with up to 0.75.
_CERTAIN: Final = 0.6
_LONG_ENOUGH: Final = 0.25  # s
_SILENCE_IF_FAINT: Final = 0.3
_LOGPROB_IF_FAINT: Final = -0.7
_SILENCE_IF_CERTAIN: Final = 0.8

# People who speak very fast say 25 characters in a second.
_CHARACTERS_A_SECOND: Final = 35.0
_SPARE_CHARACTERS: Final = 15.0

# Of the phrases of 96 English windows that had fewer letters for the speech in them, four had lost a sentence that was
# said twice, and one had not: that costs only time.
_FEW_LETTERS_A_SECOND: Final = 13.0
_HARDLY_ANY: Final = 4.0  # letters a second; where there are no more, it is not words said twice that are missing
_LETTERS_A_DIGIT: Final = 4
_PAUSE: Final = 0.4  # s, the shortest between two sentences

# A French menu lost 37 words out of the middle of a phrase that was left with 5 letters for each second of speech.
_FAR_TOO_FEW: Final = 8.0  # letters a second; then any pause is good enough
_BREATH: Final = 0.1  # s
_BLIP: Final = 0.25  # s of speech that are not counted, at the ends of a phrase: its times are not exact

_LONGEST_PHRASE: Final = 8  # words of a loop's phrase
_TIMES: Final = 5  # how often a phrase must follow itself to be a loop; nobody says four in a row by mistake
_LETTERS_PER_WORD: Final = 9  # on the average; a text with longer ones has no spaces, and its letters are counted


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes the text; speech is near 1.5, a loop far above."""
    return _ratio(text.encode())


def repetition(text: str) -> float:
    """The compression ratio with a byte for each character, so that all alphabets are judged alike.

    UTF-8 has two bytes for a Cyrillic letter, the first nearly always the same: so ordinary Russian, of menus at least,
    is above 2.4, which no English is.
    """
    others = sorted(letter for letter in set(text) if not letter.isascii())
    if len(others) > 128:  # of Chinese and its like, which have no alphabet
        return compression_ratio(text)
    code = {letter: 128 + index for index, letter in enumerate(others)}
    return _ratio(bytes(code.get(letter) or ord(letter) for letter in text))


def loops(text: str) -> bool:
    """Whether a phrase of up to 8 words follows itself at least 4 times: too short a loop for the compression ratio."""
    words = re.findall(r"\w+", text.lower())
    if not _spaced(text):
        words = list("".join(words))
    return any(_follows_itself(words, size) for size in range(1, _LONGEST_PHRASE + 1))


def repetitive(text: str) -> bool:
    """Whether the decoder was in a loop."""
    return repetition(text.strip()) > MOST_REPETITIVE or loops(text)


def excessive(text: str, heard: Heard | None) -> bool:
    """Whether nobody could have said so much in the time in which there was speech."""
    return heard is not None and len(text.strip()) > _SPARE_CHARACTERS + _CHARACTERS_A_SECOND * heard.seconds


def silent(decoded: Decoded, heard: Heard | None = None) -> bool:
    """Whether the window holds no speech.

    The model says so, and what it decoded all the same is unlikely. Where the voice detector was certain that there was
    speech, the model must be surer; where it was not, a suspicion is enough.
    """
    if heard is None:
        return decoded.no_speech_prob > SILENCE and decoded.avg_logprob < LEAST_LOGPROB
    if heard.certainty < _CERTAIN or heard.seconds < _LONG_ENOUGH:
        return decoded.no_speech_prob > _SILENCE_IF_FAINT or decoded.avg_logprob < _LOGPROB_IF_FAINT
    return decoded.no_speech_prob > _SILENCE_IF_CERTAIN and decoded.avg_logprob < LEAST_LOGPROB


def passes(decoded: Decoded, heard: Heard | None = None) -> bool:
    """Whether the window need not be tried again."""
    if silent(decoded, heard):
        return True
    return straight(decoded, heard) and decoded.avg_logprob >= LEAST_LOGPROB


def straight(decoded: Decoded, heard: Heard | None) -> bool:
    """Whether it is no loop and not too long."""
    return not repetitive(decoded.text) and not excessive(decoded.text, heard)


def doubtful(decoded: Decoded, heard: Heard | None = None) -> bool:
    """Whether it failed, and from a short encoder input, so that a look with the full one is worth its time."""
    return decoded.short and not passes(decoded, heard)


def left_out(decoded: Decoded, heard: Heard | None) -> float | None:
    """Where to cut a window in two, because words are missing: in a pause of a phrase that has few for its speech.

    A sentence that is said twice, or a second that is like the first, may be written once; apart from each other both
    are. The fewer letters, the shorter the pause may be. In seconds, as the times in `decoded`; None if nothing is
    missing, or the text has no spaces.
    """
    if heard is None or not _spaced(decoded.text) or silent(decoded, heard):
        return None
    for phrase in decoded.phrases:
        clipped = (Stretch(max(each.start, phrase.start), min(each.end, phrase.end)) for each in heard.stretches)
        spoken = [each for each in clipped if each.end - each.start > _BLIP]
        pauses = [(after.start - before.end, (after.start + before.end) / 2) for before, after in pairwise(spoken)]
        longest, middle = max(pauses, default=(0.0, 0.0))
        seconds = sum(each.end - each.start for each in spoken)
        few = _FEW_LETTERS_A_SECOND if longest >= _PAUSE else _FAR_TOO_FEW
        if longest >= _BREATH and _HARDLY_ANY * seconds < _letters(phrase.text) < few * seconds:
            return middle
    return None


def best(tries: Sequence[Decoded], heard: Heard | None = None) -> Decoded:
    """The last try if it passed; else the likeliest that is no loop and not too long; else the likeliest."""
    if passes(tries[-1], heard):
        return tries[-1]
    sound = [each for each in tries if straight(each, heard)]
    return max(sound or tries, key=lambda each: each.avg_logprob)


def _ratio(data: bytes) -> float:
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _letters(text: str) -> int:
    """How long a text is to say: as many letters, if figures were words."""
    return len(text.strip()) + (_LETTERS_A_DIGIT - 1) * sum(map(str.isdigit, text))


def _spaced(text: str) -> bool:
    words = re.findall(r"\w+", text)
    return sum(map(len, words)) <= _LETTERS_PER_WORD * len(words)


def _follows_itself(words: Sequence[str], size: int) -> bool:
    same = 0  # words in a row that are those `size` words before
    for index in range(size, len(words)):
        same = same + 1 if words[index] == words[index - size] else 0
        if same >= size * (_TIMES - 1):
            return True
    return False
