"""Long files in a worker whose engine does as the test says: opened, done part by part, put together."""

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assets import speech
from services.servers import until
from unit.transcriber_core.gated import Gated
from unit.transcriber_core.scripted import TONE, ScriptedEngine, said
from unit.transcriber_service.working import Scripted, submitted, worked, working
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import forget, until_ended
from whisper_transcriber.domain.job import part_key
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Prompt, Sampling
from whisper_transcriber.objects.port import Objects, Unavailable
from whisper_transcriber.worker import run


@pytest.fixture
def deps(deps: Deps) -> Deps:
    """Parts of 10 s, so that a minute of speech is a long file."""
    return replace(deps, settings=deps.settings.model_copy(update={"part_seconds": 10.0, "claim_lease_seconds": 1.0}))


def saying(name: float, _prompt: Prompt, _sampling: Sampling) -> Decoded:
    return said(f"row {name:g}")


def files(folder: Path) -> list[Path]:
    """All files in a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_long_file_is_done_in_parts_and_its_transcript_is_whole(deps: Deps, stored: Path) -> None:
    job = await submitted(deps, 60)
    found = await worked(deps, Scripted(deps, saying), job)
    assert (found.status, found.failures, found.windows_repeated) == ("succeeded", 0, 0)
    assert found.parts == found.parts_done >= 5
    assert found.audio_seconds == found.processed_seconds == pytest.approx(speech.long(60).seconds, abs=0.01)
    assert found.windows_total is not None
    assert found.windows_done == found.windows_total >= found.parts
    transcript = await results.read(deps.objects, job.id)
    assert len(transcript.segments) == found.windows_done
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert starts[-1] > 45
    assert {path.name for path in files(stored)} == {"audio", "result.json"}


async def test_a_short_file_has_no_parts(deps: Deps) -> None:
    job = await submitted(deps, 5)
    found = await worked(deps, Scripted(deps, saying), job)
    assert (found.status, found.parts) == ("succeeded", 0)


async def test_several_workers_make_the_transcript_of_one(deps: Deps) -> None:
    one, many = await submitted(deps, 60), None
    first = await worked(deps, Scripted(deps, saying), one)
    stop = asyncio.Event()
    others = [asyncio.create_task(run(deps, Scripted(deps, saying), stop)) for _ in range(2)]
    many = await submitted(deps, 60)
    second = await worked(deps, Scripted(deps, saying), many)
    stop.set()
    await asyncio.gather(*others)
    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert await body(deps, one.id) == await body(deps, many.id)


async def test_windows_of_unsure_language_are_heard_in_that_of_the_file_though_in_other_parts(deps: Deps) -> None:
    class Unsure(ScriptedEngine):
        def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
            # Those of an even part of the file are not sure, and wrong.
            return [Language("fr", 0.3) if unsure(row) else Language("en", 0.9) for row in rows]

    seen: dict[float, int] = {}

    def unsure(row: Encoded) -> bool:
        return seen.setdefault(row.states, len(seen)) % 2 == 1

    models = Scripted(deps, saying)
    models.engine = Unsure(lambda _name, prompt, _sampling: said(f"in {prompt.language}", seconds=30))
    job = await submitted(deps, 60)
    found = await worked(deps, models, job)
    assert (found.status, found.language, found.windows_repeated) == ("succeeded", "en", 0)
    transcript = await results.read(deps.objects, job.id)
    assert {segment.text for segment in transcript.segments} == {" in en"}
    assert len(transcript.segments) == found.windows_done


async def body(deps: Deps, job: object) -> bytes:
    """The result object of a job."""
    return b"".join([chunk async for chunk in deps.objects.get(f"jobs/{job}/result.json")])


async def test_an_engine_that_fails_once_at_every_window_costs_attempts_but_no_window(deps: Deps) -> None:
    seen: set[float] = set()

    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        if name != TONE and name not in seen:
            seen.add(name)
            raise RuntimeError("the engine broke")
        return saying(name, prompt, sampling)

    found = await worked(deps, Scripted(deps, script), await submitted(deps, 40))
    assert (found.status, found.windows_repeated) == ("succeeded", 0)
    assert found.parts_done >= 3
    assert 3 <= len(seen) <= found.windows_done  # rows that begin alike have one name


async def test_a_part_that_always_fails_ends_the_job_and_says_where(deps: Deps) -> None:
    def script(name: float, _prompt: Prompt, _sampling: Sampling) -> Decoded:
        if name != TONE:
            raise RuntimeError("the engine broke")
        return said("la")

    job = await submitted(deps, 40)
    found = await worked(deps, Scripted(deps, script), job)
    assert found.status == "failed"
    assert found.failure is not None
    assert found.failure.code == "internal_error"
    assert "3 times in a row at 0 to " in found.failure.message
    assert await deps.store.claim("worker", 60) is None


async def test_a_file_is_opened_no_further_ahead_than_it_may_be(deps: Deps, stored: Path) -> None:
    """Two files, each longer than may wait, in a worker that can hold but one claim at a time."""
    settings = deps.settings.model_copy(update={"parts_ahead": 2, "claims": 1})
    bounded, engine = replace(deps, settings=settings), Gated()
    jobs = [await submitted(bounded, 60) for _ in range(2)]
    async with working(bounded, Scripted(bounded, engine)):
        for _ in range(6):
            await engine.entered()
            for job in jobs:
                now = await bounded.store.get(job.id)
                assert now is not None
                assert now.parts - now.parts_done <= 2
            # Those of the two files that wait, one that is being written, and one that is being deleted.
            assert len([path for path in files(stored) if path.parent.name == "parts"]) <= 6
            engine.let(1)
        engine.let()
        ends = [await asyncio.wait_for(until_ended(bounded, job.id), 60) for job in jobs]
    assert [end and (end.status, end.failures, end.windows_repeated) for end in ends] == [("succeeded", 0, 0)] * 2
    assert all(end is not None and end.parts >= 5 for end in ends)


async def test_a_file_whose_opening_is_paused_is_handed_back_with_its_parts(deps: Deps) -> None:
    bounded = replace(deps, settings=deps.settings.model_copy(update={"parts_ahead": 2}))
    job, engine = await submitted(bounded, 60), Gated()
    async with working(bounded, Scripted(bounded, engine)) as stop:
        await engine.entered()

        async def full() -> bool:
            found = await bounded.store.get(job.id)
            return found is not None and found.parts == 2

        await until(full, "the bound")
        stop.set()
        engine.let()
    found = await worked(deps, Scripted(deps, saying), job)
    assert (found.status, found.failures, found.windows_repeated) == ("succeeded", 0, 0)
    assert found.parts == found.parts_done >= 5


class Third:
    """Objects that do `first` before they take the third part for the first time."""

    def __init__(self, objects: Objects, first: Callable[[], Awaitable[None]]) -> None:
        self._objects = objects
        self._first = first
        self._came = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        if key.endswith("/parts/2") and not self._came:
            self._came = True
            await self._first()
        return await self._objects.put(key, chunks)


async def full() -> None:
    raise Unavailable("the bucket is full")


async def test_an_opening_that_breaks_off_is_gone_on_with_and_changes_nothing(deps: Deps) -> None:
    whole = await submitted(deps, 60)
    undisturbed = await worked(deps, Scripted(deps, saying), whole)
    broken = await submitted(deps, 60)
    found = await worked(replace(deps, objects=Third(deps.objects, full)), Scripted(deps, saying), broken)
    assert (found.status, found.parts, found.windows_repeated) == ("succeeded", undisturbed.parts, 0)
    assert found.attempt > undisturbed.attempt
    assert await body(deps, broken.id) == await body(deps, whole.id)


async def test_whoever_goes_on_with_an_opening_keeps_the_parts_that_are_there(deps: Deps) -> None:
    job, stop = await submitted(deps, 60), asyncio.Event()

    async def dies() -> None:
        stop.set()
        await full()

    await run(replace(deps, objects=Third(deps.objects, dies)), Scripted(deps, saying), stop)
    known = await deps.store.parts(job.id)
    assert [part.number for part in known] == [0, 1]
    # The next worker is of another release, which cuts otherwise.
    longer = replace(deps, settings=deps.settings.model_copy(update={"part_seconds": 15.0}))
    claim = await deps.store.claim("other", 60, parts=False)
    assert claim is not None
    assert claim.kind == "open"
    await deps.store.hand_back(claim, failed=False)
    found = await worked(longer, Scripted(longer, saying), job)
    assert (found.status, found.windows_repeated) == ("succeeded", 0)
    assert 4 <= found.parts < 6
    heard = [window["window"] for window in json.loads(await body(deps, job.id))["windows"]]
    assert all(one["end"] <= two["start"] for one, two in pairwise(heard))
    assert sum(window["end"] - window["start"] for window in heard) > 50


async def test_two_long_files_are_opened_one_after_the_other_and_both_are_done(deps: Deps) -> None:
    stop, models = asyncio.Event(), Scripted(deps, saying)
    jobs = [await submitted(deps, 60) for _ in range(3)]
    working = asyncio.create_task(run(deps, models, stop))
    ends = [await asyncio.wait_for(until_ended(deps, job.id), 60) for job in jobs]
    stop.set()
    await working
    assert [end and (end.status, end.failures) for end in ends] == [("succeeded", 0)] * 3
    assert len({await body(deps, job.id) for job in jobs}) == 1


async def test_a_file_that_is_deleted_while_it_is_opened_leaves_no_objects(deps: Deps, stored: Path) -> None:
    job, stop = await submitted(deps, 60), asyncio.Event()

    async def deleted() -> None:
        assert (stored / part_key(job.id, 1)).is_file()
        assert await forget(deps, job.id)
        stop.set()

    await run(replace(deps, objects=Third(deps.objects, deleted)), Scripted(deps, saying), stop)
    assert files(stored) == []
    assert await deps.store.claim("worker", 60) is None
