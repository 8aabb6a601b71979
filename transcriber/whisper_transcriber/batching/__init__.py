"""Batches of windows across requests: `Pipeline` runs one, `due` chooses the next."""

from whisper_transcriber.batching.due import Waiting, due
from whisper_transcriber.batching.pipeline import Pipeline
from whisper_transcriber.batching.rows import Item

__all__ = ["Item", "Pipeline", "Waiting", "due"]
