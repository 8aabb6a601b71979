"""The worker: claims jobs, several at once, and turns each into a transcript, window by window."""

from whisper_transcriber.worker.loop import run
from whisper_transcriber.worker.models import Models

__all__ = ["Models", "run"]
