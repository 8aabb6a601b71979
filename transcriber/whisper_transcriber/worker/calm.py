"""Work that gives way: what a short recording needs before and after it is computed does not wait for a processor."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

NICENESS: Final = 10
"""Of threads that compute: a thread that has it gets a tenth of a processor that another one wants, too."""


async def calmly(work: Callable[[], T]) -> T:
    """The result of `work` in a thread of its own, which gives way to others; so do the threads that it starts.

    A thread cannot take its priority back, so it is none of those that serve everybody.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="calm", initializer=_give_way)
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
    finally:
        pool.shutdown(wait=False)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process that gives way
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + NICENESS)
