"""One audio stream through a pump where nothing is recorded: for the command line and for benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from whisper_transcriber.batching.due import Ticket
from whisper_transcriber.batching.flow import Cut, flow
from whisper_transcriber.batching.pump import Pump
from whisper_transcriber.batching.rows import Item
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window


async def hear(
    pump: Pump,
    cut: Cut,
    options: Options,
    ticket: Ticket,
    told: Callable[[WindowResult], None] = lambda result: None,
    languages: Mapping[Window, str] = {},
) -> list[WindowResult]:
    """The results of all windows of a stream, in their order; `told` of each as it comes.

    Windows that are in `languages` are heard in that language, whatever the options say.
    """
    results: list[WindowResult] = []

    async def send(window: Window, samples: Samples) -> WindowResult:
        return await pump.submit(Item(window, samples, options.speaking(languages.get(window))), ticket)

    async def keep(result: WindowResult) -> None:
        results.append(result)
        told(result)

    def stop(error: Exception) -> None:
        pump.drop(ticket.job, error)

    await flow(cut, send, keep, at_once=lambda: pump.ahead, stop=stop, cutting=pump.expected)
    return sorted(results, key=lambda result: result.window.index)
