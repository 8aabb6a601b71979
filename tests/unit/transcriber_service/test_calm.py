"""What computes gives way to what prepares."""

import os
import threading

from whisper_transcriber.worker.calm import NICENESS, calmly


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_what_works_calmly_gives_way_and_so_do_the_threads_that_it_starts() -> None:
    seen = list[int]()

    def work() -> str:
        seen.append(niceness())
        started = threading.Thread(target=lambda: seen.append(niceness()))
        started.start()
        started.join()
        return "done"

    own = niceness()
    assert await calmly(work) == "done"
    assert seen == [min(19, own + NICENESS)] * 2
    assert niceness() == own
