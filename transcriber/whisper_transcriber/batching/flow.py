"""The windows of one audio stream through a queue: cut as they are needed, sent on, kept as they come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.domain.window import Window

Cut: TypeAlias = Iterator[tuple[Window, Samples]]
"""Windows with their samples; taking the next one blocks."""


async def flow(
    cut: Cut,
    send: Callable[[Window, Samples], Awaitable[WindowResult]],
    keep: Callable[[WindowResult], Awaitable[None]],
    *,
    at_once: Callable[[], int],
    stop: Callable[[Exception], None] = lambda error: None,
    cutting: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Send each window as it is cut, at most `at_once()` of them in flight, and keep each result as it comes.

    So memory holds so many windows, however long the stream is. Results come in any order. What anything raises stops
    the cutting, `stop` is told so, those in flight are waited for, and then it is raised.
    """
    going: set[asyncio.Task[None]] = set()

    async def one(window: Window, samples: Samples) -> None:
        await keep(await send(window, samples))

    try:
        while True:
            with cutting():
                found = await asyncio.to_thread(next, cut, None)
            if found is None:
                break
            going.add(asyncio.create_task(one(*found), name=f"window {found[0].index}"))
            del found  # or its samples would outlive it
            going = await _fewer(going, at_once())
        await _fewer(going, 1)
    except Exception as error:
        stop(error)
        raise
    except asyncio.CancelledError:
        for task in going:
            task.cancel()
        raise
    finally:
        await asyncio.gather(*going, return_exceptions=True)


async def _fewer(going: set[asyncio.Task[None]], than: int) -> set[asyncio.Task[None]]:
    """What still goes on when fewer than so many do. Raises what one raised."""
    while True:
        for task in [task for task in going if task.done()]:
            task.result()
            going.discard(task)
        if len(going) < than:
            return going
        await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
