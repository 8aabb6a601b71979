"""Captions from a transcript: at most two lines of 42 characters each, split by word times where there are any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from whisper_transcriber.domain.transcript import Segment, Transcript

_LINE: Final = 42
_LINES: Final = 2


@dataclass(frozen=True)
class Caption:
    """Text on the screen from `start` to `end`, in milliseconds of the file."""

    start: int
    end: int
    lines: tuple[str, ...]


def captions(transcript: Transcript) -> list[Caption]:
    """The captions in order, without overlap; each lasts at least a millisecond."""
    shown: list[Caption] = []
    for segment in transcript.segments:
        for start, end, lines in _blocks(segment):
            begin = max(round(start * 1000), shown[-1].end if shown else 0)
            shown.append(Caption(begin, max(round(end * 1000), begin + 1), lines))
    return shown


def _blocks(segment: Segment) -> Iterator[tuple[float, float, tuple[str, ...]]]:
    """A segment's text in screenfuls: (start, end, lines)."""
    lines = wrap(" ".join(segment.text.split()), _LINE, break_on_hyphens=False)
    blocks = [tuple(lines[at : at + _LINES]) for at in range(0, len(lines), _LINES)]
    counts = [sum(len(line.split()) for line in block) for block in blocks]
    for block, (start, end) in zip(blocks, _times(segment, blocks, counts), strict=True):
        yield start, end, block


def _times(segment: Segment, blocks: Sequence[tuple[str, ...]], counts: Sequence[int]) -> Iterator[tuple[float, float]]:
    """When each block is spoken: by its words, or, where their times are unknown, in proportion to its letters."""
    words = [word for word in segment.words if word.word.strip()]
    at = 0
    if len(words) == sum(counts):
        for count in counts:
            yield words[at].start, words[at + count - 1].end
            at += count
        return
    letters = [sum(map(len, block)) for block in blocks]
    scale = (segment.end - segment.start) / (sum(letters) or 1)
    for count in letters:
        yield segment.start + at * scale, segment.start + (at + count) * scale
        at += count


def srt(transcript: Transcript) -> str:
    """SubRip: numbered blocks, comma before the milliseconds. Empty for silence."""
    return "\n".join(
        f"{number}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{_plain(each)}\n"
        for number, each in enumerate(captions(transcript), start=1)
    )


def vtt(transcript: Transcript) -> str:
    """WebVTT: a header, and text in which its three special characters are escaped."""
    cues = "".join(
        f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}\n{_escaped(_plain(each))}\n\n"
        for each in captions(transcript)
    )
    return f"WEBVTT\n\n{cues}"


def _plain(caption: Caption) -> str:
    return "\n".join(caption.lines).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{rest:03d}"
