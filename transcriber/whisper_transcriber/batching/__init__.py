"""Batches of windows across requests: `Pipeline` runs one, `due` chooses the next."""

from whisper_transcriber.batching.due import Waiting, due
from whisper_transcriber.batching.pipeline import Item, Pipeline

__all__ = ["Item", "Pipeline", "Waiting", "due"]
