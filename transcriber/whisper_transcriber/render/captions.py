"""Captions as SRT and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whisper_transcriber.domain.transcript import Segment, Transcript
from whisper_transcriber.render.cues import Cue, cues


@dataclass(frozen=True)
class Caption:
    """Text on the screen from `start` to `end`, in milliseconds of the file; who says it, where that is known."""

    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str | None = None


def captions(transcript: Transcript) -> list[Caption]:
    """The captions in order, those of one speaker without overlap; each lasts at least a millisecond."""
    language = "en" if transcript.task == "translate" else transcript.language
    shown: list[Caption] = []
    floors: dict[str | None, int] = {}
    for segment in transcript.segments:
        own = _timed(cues(segment, language), segment, floors.get(segment.speaker, 0))
        shown += own
        if own:
            floors[segment.speaker] = own[-1].end
    return sorted(shown, key=lambda each: each.start)


def _timed(made: Sequence[Cue], segment: Segment, floor: int) -> list[Caption]:
    """A segment's cues in whole milliseconds from `floor` on, inside the segment as far as it has room for them."""
    times: list[tuple[int, int]] = []
    for cue in made:
        start = max(floor, round(cue.start * 1000))
        floor = max(start + 1, round(cue.end * 1000))
        times.append((start, floor))
    ceiling = max(round(segment.end * 1000), (times[0][0] if times else 0) + len(times))
    for index in reversed(range(len(times))):
        start, end = times[index]
        end = min(end, ceiling)
        ceiling = min(start, end - 1)
        times[index] = ceiling, end
    return [Caption(start, end, cue.lines, segment.speaker) for (start, end), cue in zip(times, made, strict=True)]


def srt(transcript: Transcript) -> str:
    """SubRip: numbered blocks, comma before the milliseconds, the speaker's name before the text. Empty for silence."""
    return "\n".join(
        f"{number}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{_named(each)}{_plain(each)}\n"
        for number, each in enumerate(captions(transcript), start=1)
    )


def vtt(transcript: Transcript) -> str:
    """WebVTT: a header, and text in which its three special characters are escaped, in the speaker's voice."""
    cues = "".join(
        f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}\n{_voice(each)}{_escaped(_plain(each))}\n\n"
        for each in captions(transcript)
    )
    return f"WEBVTT\n\n{cues}"


def _named(caption: Caption) -> str:
    return f"{caption.speaker}: " if caption.speaker else ""


def _voice(caption: Caption) -> str:
    return f"<v {caption.speaker}>" if caption.speaker else ""


def _plain(caption: Caption) -> str:
    return "\n".join(caption.lines).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{rest:03d}"
