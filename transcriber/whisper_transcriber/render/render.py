"""A transcript as a response body, in the formats and shapes of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Final, Literal, TypeAlias, get_args

from whisper_transcriber.domain.languages import language_name
from whisper_transcriber.domain.transcript import Segment, Transcript
from whisper_transcriber.render.captions import srt, vtt
from whisper_transcriber.render.logprobs import logprobs

Format: TypeAlias = Literal["json", "text", "verbose_json", "srt", "vtt"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

Granularity: TypeAlias = Literal["segment", "word"]
GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)

_SEGMENTS: Final[tuple[Granularity, ...]] = ("segment",)
_JSON: Final = "application/json"
_SEEK: Final = 100  # openai-whisper counts `seek` in frames of 10 ms


def render(
    transcript: Transcript,
    format: Format,
    granularities: Collection[Granularity] = _SEGMENTS,
    *,
    with_logprobs: bool = False,
) -> tuple[bytes, str]:
    """The body and its content type. `granularities` matter to verbose_json only: what it lists besides the text.

    `with_logprobs` matters to json only: whether it lists the tokens with their log probabilities.
    """
    if format == "json" and with_logprobs:
        return _dumped(_json(transcript) | {"logprobs": logprobs(transcript.segments)}).encode(), _JSON
    make, content_type = _WRITERS[format]
    return make(transcript, granularities).encode(), content_type


def verbose(transcript: Transcript, granularities: Collection[Granularity] = _SEGMENTS) -> dict[str, Any]:
    """The object of verbose_json, with what made it, which OpenAI does not say: `model`, `model_digest`, `engine`."""
    body: dict[str, Any] = {
        "task": transcript.task,
        "language": language_name(transcript.language),
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
    }
    if "segment" in granularities:
        body["segments"] = [_segment(number, each) for number, each in enumerate(transcript.segments)]
    if "word" in granularities:
        body["words"] = [
            {"word": word.word.strip(), "start": word.start, "end": word.end, **_by(segment)}
            for segment, word in transcript.spoken
        ]
    return body | {
        "usage": {"type": "duration", "seconds": _billed(transcript)},
        "model": transcript.model,
        "model_digest": transcript.model_digest,
        "engine": transcript.engine,
    }


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": round(segment.start * _SEEK),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
        **_by(segment),
    }


def _by(segment: Segment) -> dict[str, Any]:
    """Who says it, where each has a channel, which people count from 1."""
    return {} if segment.channel is None else {"channel": segment.channel + 1, "speaker": segment.speaker}


def _text(transcript: Transcript) -> str:
    """The text in one line; of speakers with a channel each, a line for each time that one of them speaks."""
    if not any(segment.speaker for segment in transcript.segments):
        return transcript.text + "\n"
    lines = ((turn[0].speaker, "".join(segment.text for segment in turn).strip()) for turn in transcript.turns)
    return "".join(f"{speaker}: {text}\n" for speaker, text in lines if text)


def _billed(transcript: Transcript) -> int:
    """Whole seconds, rounded up: OpenAI's clients expect an integer."""
    return -int(-transcript.duration // 1)


def _dumped(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _json(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, "usage": {"type": "duration", "seconds": _billed(transcript)}}


_Writer: TypeAlias = Callable[[Transcript, Collection[Granularity]], str]

_WRITERS: Final[dict[Format, tuple[_Writer, str]]] = {
    "json": (lambda it, _: _dumped(_json(it)), _JSON),
    "text": (lambda it, _: _text(it), "text/plain; charset=utf-8"),
    "verbose_json": (lambda it, granularities: _dumped(verbose(it, granularities)), _JSON),
    "srt": (lambda it, _: srt(it), "application/x-subrip; charset=utf-8"),
    "vtt": (lambda it, _: vtt(it), "text/vtt; charset=utf-8"),
}
