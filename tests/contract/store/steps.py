"""Jobs, windows and claims as the tests of stores need them."""

from typing import Any
from uuid import UUID, uuid4

from services.servers import until
from whisper_transcriber.domain.job import DEFAULT_TENANT, Claim, JobRequest, NewJob
from whisper_transcriber.domain.options import Options
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import Segment, WindowResult
from whisper_transcriber.domain.window import Window
from whisper_transcriber.store.port import Facts, Store

REQUEST = JobRequest(model="base", options=Options(language="de", prompt="Ähre, Größe"), sha256="00ff")
LONG, SHORT = 600.0, 0.05


def new(request: JobRequest = REQUEST, key: str | None = None, tenant: str = DEFAULT_TENANT, **of: Any) -> NewJob:
    return NewJob(uuid4(), request, key, tenant, **of)


def done(index: int, text: str = " Straße", begin: float = 0.0) -> WindowResult:
    start = begin + index * 20.0
    segment = Segment(start, start + 1.5, text, (1, 2), 0.0, -0.25, 1.25, 0.01)
    return WindowResult(Window(index, start, start + 20.0), "de", 0.75, (segment,))


async def claimed(store: Store, lease: float = LONG) -> Claim:
    claim = await store.claim("worker", lease)
    assert claim is not None
    return claim


async def claimed_after_lapse(store: Store) -> Claim:
    found: list[Claim] = []

    async def lapsed() -> bool:
        if claim := await store.claim("other", LONG):
            found.append(claim)
        return bool(found)

    await until(lapsed, "the lease to run out")
    return found[0]


async def opening(store: Store, audio: float = 1000.0, **of: Any) -> Claim:
    """The claim that opens a new job of so many seconds."""
    job, _ = await store.create(new(**of))
    claim = await claimed(store)
    assert (claim.job.id, claim.kind) == (job.id, "open")
    await store.learn(claim, Facts(audio_seconds=audio, model_digest="sha256:1", engine="ctranslate2"))
    return claim


async def split(store: Store, count: int, seconds: float = 100.0, **of: Any) -> UUID:
    """A job that is opened: so many parts of so many seconds."""
    claim = await opening(store, count * seconds, **of)
    for number in range(count):
        await store.add_part(claim, part(number, seconds), LONG)
    assert await store.opened(claim, count * seconds, LONG) is None
    return claim.job.id


def part(number: int, seconds: float = 100.0) -> Part:
    return Part(number, number * seconds, (number + 1) * seconds)
