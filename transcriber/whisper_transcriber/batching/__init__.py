"""Batches of windows across requests: `Pipeline` runs one, `due` chooses the next, `Pump` is the queue between."""

from whisper_transcriber.batching.due import Policy, Ticket, Waiting, due
from whisper_transcriber.batching.flow import flow
from whisper_transcriber.batching.pipeline import Pipeline
from whisper_transcriber.batching.pump import Pump
from whisper_transcriber.batching.rows import Item

__all__ = ["Item", "Pipeline", "Policy", "Pump", "Ticket", "Waiting", "due", "flow"]
