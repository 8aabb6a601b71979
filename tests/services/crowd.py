"""Many clients at once, of every kind: they do as a 429 or a 503 says, and keep a record of what they were answered."""

import asyncio
import struct
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx

from assets import speech
from assets.speech import Clip
from services.running import KEY

GONE = 499  # what the API notes for a client that goes away
_PATIENCE = 300.0
_HURRY = 2.0  # seconds; what a client who goes away waits at most
_FORM = {"model": "whisper-1", "language": "en"}


@dataclass(frozen=True)
class Answer:
    """What a client was answered: when (monotonic seconds), of which kind it is; status 0: the connection broke."""

    at: float
    kind: str
    status: int


@dataclass
class Record:
    """All that the clients saw. `accepted`: jobs that they were promised, with what is said in them."""

    answers: list[Answer] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)  # said, and written
    problems: list[str] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        """How many answers had each status."""
        return Counter(answer.status for answer in self.answers)

    def since(self, moment: float, *statuses: int) -> list[Answer]:
        """The answers with one of these statuses that came after a moment."""
        return [answer for answer in self.answers if answer.at > moment and answer.status in statuses]


class Crowd:
    """So many clients, in a thread of their own while a block lasts; each does one thing after another.

    Of ten, two ask for the text of a sentence, one for the captions of a minute, one for a stream; two post a job
    and ask how it is, one posts one and follows its events, one prefers not to wait; one goes away too early; and one
    posts a file of ten minutes, and deletes it.
    """

    def __init__(self, url: str, clients: int, *, minute: float = 60, large: float = 600) -> None:
        """How long the minute is, and the file of ten minutes, is said in seconds."""
        self.record = Record()
        self._url = url
        self._clients = clients
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._numbers = count()
        self._sentences = [_Recording(clip) for clip in speech.sentences() if clip.seconds < 6]
        self._minute = _Recording(speech.long(minute))
        self._large = _Recording(speech.long(large))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nobody begins anything new; what was begun comes to its end."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        kinds: Sequence[tuple[str, Callable[[_Client], Awaitable[None]]]] = (
            *[("text", self._text)] * 2,
            ("captions", self._captions),
            ("stream", self._stream),
            *[("polled", self._polled)] * 2,
            ("followed", self._followed),
            ("later", self._later),
            ("gone", self._gone),
            ("large", self._deleted),
        )
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._clients)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            httpx.AsyncClient(base_url=self._url, headers=headers, timeout=_PATIENCE, limits=limits) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self._clients):
                kind, does = kinds[number % len(kinds)]
                group.create_task(self._live(_Client(number, kind, http, self.record), does))

    async def _live(self, client: "_Client", does: Callable[["_Client"], Awaitable[None]]) -> None:
        await asyncio.sleep(client.chance.uniform(0, 1))
        while not self._over.is_set():
            try:
                await does(client)
            except _TurnedAway as turned:
                await self._rest(turned.seconds * client.chance.uniform(1, 1.5))
            except httpx.TransportError:
                client.saw(0)
                await self._rest(1)
            except Exception as error:
                self.record.problems.append(f"{client.kind}: {type(error).__name__}: {error}")

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    def _sentence(self, client: "_Client") -> "_Recording":
        return client.chance.choice(self._sentences)

    async def _text(self, client: "_Client") -> None:
        await self._synchronous(client, self._sentence(client), response_format="json")

    async def _captions(self, client: "_Client") -> None:
        await self._synchronous(client, self._minute, response_format="srt")

    async def _synchronous(self, client: "_Client", recording: "_Recording", **fields: str) -> None:
        file = recording.another(next(self._numbers))
        answer = await client.ask("POST", "/v1/audio/transcriptions", files={"file": file}, data=_FORM | fields)
        if fields["response_format"] == "json":
            self.record.heard.append((recording.clip.text, answer.json()["text"]))
        elif " --> " not in answer.text:
            self.record.problems.append(f"captions: {answer.text[:200]}")

    async def _stream(self, client: "_Client") -> None:
        file = {"file": self._minute.another(next(self._numbers))}
        fields = _FORM | {"stream": "true"}
        async with client.asking("POST", "/v1/audio/transcriptions", files=file, data=fields) as answer:
            lines = [line async for line in answer.aiter_lines() if line.startswith("data: ")]
        if lines[-1:] != ["data: [DONE]"] or not any("transcript.text.done" in line for line in lines):
            self.record.problems.append(f"stream: it ended with {lines[-2:]}")

    async def _posted(self, client: "_Client", recording: "_Recording") -> str:
        number = next(self._numbers)
        fields = _FORM | {"metadata": f'{{"visit": "{number}"}}'}
        file = {"file": recording.another(number)}
        # Whoever is not answered asks for the same again.
        key = {"Idempotency-Key": f"visit-{number}"}
        job = await client.until_answered("POST", "/v1/jobs", self._rest, files=file, data=fields, headers=key)
        self.record.accepted[job["id"]] = recording.clip.text
        return str(job["id"])

    async def _polled(self, client: "_Client") -> None:
        job = await self._posted(client, self._sentence(client))
        while (await client.until_answered("GET", f"/v1/jobs/{job}", self._rest))["status"] in ("queued", "running"):
            if self._over.is_set():
                return
            await self._rest(1)

    async def _followed(self, client: "_Client") -> None:
        job = await self._posted(client, self._minute)
        async with client.asking("GET", f"/v1/jobs/{job}/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: job.") and line != "event: job.progress":
                    break
                if self._over.is_set():
                    return

    async def _later(self, client: "_Client") -> None:
        recording = self._sentence(client)
        file = {"file": recording.another(next(self._numbers))}
        headers = {"Prefer": "respond-async"}
        answer = await client.ask("POST", "/v1/audio/transcriptions", files=file, data=_FORM, headers=headers)
        self.record.accepted[answer.json()["id"]] = recording.clip.text
        await self._rest(5)

    async def _gone(self, client: "_Client") -> None:
        file = {"file": self._minute.another(next(self._numbers))}
        try:
            async with asyncio.timeout(client.chance.uniform(0.2, _HURRY)):
                await client.ask("POST", "/v1/audio/transcriptions", files=file, data=_FORM)
        except TimeoutError:
            client.saw(GONE)
            await self._rest(1)

    async def _deleted(self, client: "_Client") -> None:
        file = {"file": self._large.another(next(self._numbers))}
        answer = await client.ask("POST", "/v1/jobs", files=file, data=_FORM)
        await client.until_answered("DELETE", f"/v1/jobs/{answer.json()['id']}", self._rest)
        await self._rest(1)


class _TurnedAway(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"come back in {seconds} s")
        self.seconds = seconds


class _Recording:
    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self._bytes = clip.path.read_bytes()

    def another(self, number: int) -> bytes:
        """The same with other bytes, so that it is transcribed anew: the last four samples, which nobody hears."""
        return self._bytes[:-8] + struct.pack("<4h", *(number >> 4 * place & 15 for place in range(4)))


@dataclass
class _Client:
    number: int
    kind: str
    http: httpx.AsyncClient
    record: Record

    def __post_init__(self) -> None:
        self.chance = Random(self.number)

    def saw(self, status: int) -> None:
        self.record.answers.append(Answer(time.monotonic(), self.kind, status))

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, if it is a good one. Raises _TurnedAway."""
        async with self.asking(method, path, **request) as answer:
            await answer.aread()
        return answer

    @asynccontextmanager
    async def asking(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """The same while its body still comes."""
        async with self.http.stream(method, path, **request) as answer:
            self.saw(answer.status_code)
            if answer.status_code in (429, 503) and answer.headers.get("retry-after", "").isdigit():
                raise _TurnedAway(float(answer.headers["retry-after"]))
            if not answer.is_success:
                await answer.aread()
                raise AssertionError(f"{answer.status_code} {answer.text[:200]}")
            yield answer

    async def until_answered(
        self, method: str, path: str, rest: Callable[[float], Awaitable[None]], **request: Any
    ) -> dict[str, Any]:
        """The body of the first good answer, however often one has to ask."""
        while True:
            try:
                answer = await self.ask(method, path, **request)
                return dict(answer.json()) if answer.content else {}
            except _TurnedAway as turned:
                await rest(turned.seconds)
            except httpx.TransportError:
                self.saw(0)
                await rest(1)
            await asyncio.sleep(0.1)
