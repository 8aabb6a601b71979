"""A window in the pump's queue."""

import asyncio
from dataclasses import dataclass

from whisper_transcriber.batching.due import Waiting
from whisper_transcriber.batching.rows import Row
from whisper_transcriber.domain.transcript import WindowResult


@dataclass(frozen=True, eq=False)
class Queued(Waiting):
    """A window in the queue, how far it is on its way, and who waits for the answer.

    `came` is when it came into the queue (monotonic seconds), `origin` the traceparent of whoever sent it.
    """

    row: Row
    answer: "asyncio.Future[WindowResult]"
    came: float
    origin: str | None = None


def settle(waiting: "asyncio.Future[WindowResult]", answer: WindowResult | Exception) -> None:
    """Give whoever waits the answer, unless they have gone."""
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
