"""A transcript as json, text, verbose_json, srt or vtt: `render`."""

from whisper_transcriber.render.logprobs import logprobs
from whisper_transcriber.render.render import FORMATS, GRANULARITIES, Format, Granularity, render

__all__ = ["FORMATS", "GRANULARITIES", "Format", "Granularity", "logprobs", "render"]
