"""A person on each channel, in a worker whose engine knows who speaks by how loud it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assets import speech
from unit.transcriber_core.gated import Gated
from unit.transcriber_core.hostile.boxes import wav
from unit.transcriber_core.media import samples_of
from unit.transcriber_core.scripted import ScriptedEngine, said
from unit.transcriber_service.working import Scripted, holding, submitted, worked, working
from whisper_transcriber.bell.port import ended
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.jobs import until_ended
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.transcript import Transcript
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Prompt, Sampling
from whisper_transcriber.worker import run

SPEAKERS = Options(channels="speakers")


def written(path: Path, channels: Sequence[Samples]) -> Path:
    """A WAV with these channels."""
    path.write_bytes(wav(np.stack(channels).T.reshape(-1), channels=len(channels)))
    return path


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A minute: somebody speaks all the time, somebody is silent, and somebody speaks softly."""
    voice = samples_of(speech.long(60).path)
    return written(tmp_path / "call.wav", [voice * 0.8, np.zeros_like(voice), np.roll(voice, 16_000 * 7) * 0.1])


@pytest.fixture
def long(deps: Deps) -> Deps:
    """Parts of 10 s, so that a minute of speech is a long file."""
    return replace(deps, settings=deps.settings.model_copy(update={"part_seconds": 10.0, "claim_lease_seconds": 1.0}))


class ByLoudness(ScriptedEngine):
    """Says `loud` or `soft`, and in which language."""

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        return [Encoded(float(np.abs(samples).max() > 0.3), len(samples) / 16_000) for samples in batch]


def saying(name: float, prompt: Prompt, _sampling: Sampling) -> Decoded:
    return said(f"{'loud' if name else 'soft'} {prompt.language}", seconds=1.0)


def told_apart(transcript: Transcript) -> None:
    """The loud one is on the first channel, the soft one on the third, and nobody on the second."""
    assert {(each.channel, each.text.split()[0]) for each in transcript.segments} == {(0, "loud"), (2, "soft")}
    starts = [each.start for each in transcript.segments]
    assert starts == sorted(starts)


async def test_each_channel_of_a_short_file_is_transcribed_by_itself(deps: Deps, call: Path) -> None:
    job = await submitted(deps, options=SPEAKERS, path=call)
    found = await worked(deps, Scripted(deps, ByLoudness(saying)), job)
    assert (found.status, found.parts) == ("succeeded", 0)
    transcript = await results.read(deps.objects, job.id)
    told_apart(transcript)
    assert found.audio_seconds == found.processed_seconds == transcript.duration
    assert transcript.duration == pytest.approx(speech.long(60).seconds, abs=0.01)


async def test_each_channel_of_a_long_file_is_in_its_parts(long: Deps, call: Path) -> None:
    job = await submitted(long, options=SPEAKERS, path=call)
    found = await worked(long, Scripted(long, ByLoudness(saying)), job)
    assert (found.status, found.windows_repeated) == ("succeeded", 0)
    assert found.parts == found.parts_done >= 5
    assert found.audio_seconds == found.processed_seconds
    told_apart(await results.read(long.objects, job.id))


async def test_what_one_worker_did_of_any_channel_is_not_done_by_the_next(deps: Deps, call: Path) -> None:
    """The first is told to stop in the middle, when windows of both speakers are recorded."""
    job, engine, stop = await submitted(deps, options=SPEAKERS, path=call), Gated(), asyncio.Event()
    running = asyncio.create_task(run(deps, Scripted(deps, engine), stop))
    engine.let(3)
    await engine.entered(4)
    stop.set()
    engine.let()
    await running
    recorded = await deps.store.windows(job.id)
    assert {result.window.channel for result in recorded} == {0, 2}
    second = ScriptedEngine()
    found = await worked(deps, Scripted(deps, second), job)
    assert (found.status, found.windows_repeated) == ("succeeded", 0)
    assert found.windows_done == len(recorded) + sum(map(len, second.batches("encode")))


async def test_progress_is_that_of_all_channels(deps: Deps, call: Path) -> None:
    """A window of one is done, then one of the other, as they end: none runs far ahead."""
    job, engine = await submitted(deps, options=SPEAKERS, path=call), Gated()
    async with working(deps, Scripted(deps, engine)):
        for _ in range(4):
            await engine.entered()
            ends = dict.fromkeys((0, 2), 0.0)
            for each in await deps.store.windows(job.id):
                assert each.window.channel is not None
                ends[each.window.channel] = max(ends[each.window.channel], each.window.end)
            now = await deps.store.get(job.id)
            assert now is not None
            assert now.processed_seconds == max(ends.values()) <= min(ends.values()) + 30
            engine.let(1)
        engine.let()


async def test_a_job_that_is_cancelled_stops_in_all_channels(deps: Deps, call: Path) -> None:
    job, engine = await submitted(deps, options=SPEAKERS, path=call), Gated()
    async with working(deps, Scripted(deps, engine)):
        await engine.entered()
        await deps.store.cancel(job.id)
        await deps.bell.ring(ended(job.id))
        engine.let()
        await holding(deps, 0)
    found = await until_ended(deps, job.id)
    assert found is not None
    assert found.status == "cancelled"
    assert await deps.store.windows(job.id) == []


class Unsure(ByLoudness):
    """The loud one speaks English, the soft one French; the second window of each is mistaken for the other's."""

    def __init__(self) -> None:
        super().__init__(saying)
        self.heard: dict[float, int] = {}

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        return [self._detected(row.states) for row in rows]

    def _detected(self, loud: float) -> Language:
        self.heard[loud] = self.heard.get(loud, 0) + 1
        first, second = ("en", "fr") if loud else ("fr", "en")
        return Language(second, 0.3) if self.heard[loud] == 2 else Language(first, 0.9)


async def test_two_people_may_speak_two_languages(deps: Deps, call: Path) -> None:
    job = await submitted(deps, options=SPEAKERS, path=call)
    assert (await worked(deps, Scripted(deps, Unsure()), job)).status == "succeeded"
    transcript = await results.read(deps.objects, job.id)
    assert {each.text for each in transcript.segments} == {" loud en", " soft fr"}


async def test_more_channels_than_can_be_told_apart_are_refused(deps: Deps, tmp_path: Path) -> None:
    voice = samples_of(speech.prompt("vm-goodbye").path)
    path = written(tmp_path / "table.wav", [voice] * 9)
    job = await submitted(deps, options=SPEAKERS, path=path)
    found = await worked(deps, Scripted(deps, ByLoudness(saying)), job)
    assert found.failure is not None
    assert found.failure.code == "invalid_audio"
    assert "9 channels; at most 8" in found.failure.message
