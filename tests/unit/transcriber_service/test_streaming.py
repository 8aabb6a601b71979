"""A stream of events while a job is worked on, and how it ends whatever happens."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.servers import until
from unit.transcriber_service.calls import CLIP, SYNC, claim, error, files
from unit.transcriber_service.listening import listening, record, succeed, window
from whisper_transcriber.api.visits import Farewells
from whisper_transcriber.bell.port import ended, moved
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import Claim, Failure
from whisper_transcriber.domain.parts import Part
from whisper_transcriber.domain.transcript import Token, Word
from whisper_transcriber.domain.window import Window
from whisper_transcriber.render import logprobs
from whisper_transcriber.store.memory import MemoryStore
from whisper_transcriber.store.port import StaleClaim


async def test_text_comes_as_it_is_heard_and_adds_up(app: Any, deps: Deps, stored: Any) -> None:
    made = [window(0, "Hello there."), window(1, ""), window(2, "And goodbye."), window(3, "Now.")]
    async with listening(app) as client:
        claimed = await claim(deps)
        await record(deps, claimed, made[0])
        await client.had(1)
        assert client.events == [{"type": "transcript.text.delta", "delta": "Hello there."}]
        await record(deps, claimed, made[2])
        await record(deps, claimed, made[1])
        await client.had(2)
        assert client.events[1]["delta"] == " And goodbye."
        await record(deps, claimed, made[3])
        await succeed(deps, claimed, made)
        await client.had(5)
    assert client.status == 200
    assert client.events[-1] == "[DONE]"
    *deltas, done = client.events[:-1]
    assert done["type"] == "transcript.text.done"
    assert done["text"] == "".join(each["delta"] for each in deltas) == "Hello there. And goodbye. Now."
    assert done["usage"] == {
        "type": "tokens",
        "input_tokens": 1000,
        "input_token_details": {"audio_tokens": 1000, "text_tokens": 0},
        "output_tokens": 5,
        "total_tokens": 1005,
    }
    assert files(stored) == []
    assert await deps.store.list(9) == []


async def test_parts_are_told_in_their_order(app: Any, deps: Deps) -> None:
    one, two = window(0, "One."), replace(window(0, "Two."), window=Window(0, 10, 20))
    async with listening(app) as client:
        claimed = await claim(deps)
        for number in (0, 1):
            await deps.store.add_part(claimed, Part(number, 10.0 * number, 10.0 * (number + 1)), 60)
        await deps.store.opened(claimed, 20.0, 60)
        first, second = await claim(deps), await claim(deps)
        await record(deps, second, two)
        await deps.store.finish_part(second, 60)
        await record(deps, first, one)
        await client.had(1)
        close = await deps.store.finish_part(first, 60)
        assert close is not None
        await deps.bell.ring(moved(claimed.job.id))
        await client.had(2)
        await succeed(deps, close, [one, replace(two, window=Window(1, 10, 20))])
        await client.had(4)
    assert [each["delta"] for each in client.events[:2]] == ["One.", " Two."]
    assert client.events[2]["text"] == "One. Two."


async def test_log_probabilities_go_with_the_text(app: Any, deps: Deps) -> None:
    made = [window(0, "Hé there."), window(1, "Bye.")]
    async with listening(app, **{"include[]": "logprobs"}) as client:
        claimed = await claim(deps)
        assert claimed.job.request.options.logprobs
        for each in made:
            await record(deps, claimed, each)
        await succeed(deps, claimed, made)
        await client.had(3)
    *deltas, done = client.events[:-1]
    for event in (*deltas, done):
        said = event["delta"] if "delta" in event else event["text"]
        assert b"".join(bytes(token["bytes"]) for token in event["logprobs"]).decode() == said
    assert [token["token"] for token in done["logprobs"]] == ["Hé", " there.", " Bye."]
    assert {token["logprob"] for token in done["logprobs"]} == {-0.5}


def test_half_a_character_keeps_its_bytes() -> None:
    halves = (Token("20c3", -0.1), Token("a9", -0.2))
    segment = replace(window(0, "é").segments[0], words=(Word(0, 1, " é", 0.9, halves),))
    assert logprobs([segment]) == [
        {"token": "\ufffd", "bytes": [0xC3], "logprob": -0.1},
        {"token": "\ufffd", "bytes": [0xA9], "logprob": -0.2},
    ]


async def test_a_failure_before_any_text_is_a_status(http: httpx.AsyncClient, deps: Deps) -> None:
    async def fail() -> None:
        claimed = await claim(deps)
        await deps.store.fail(claimed, Failure("invalid_audio", "There is no audio stream."))
        await deps.bell.ring(ended(claimed.job.id))

    answer, _ = await asyncio.gather(http.post(SYNC, files=CLIP, data={"stream": "true"}), fail())
    assert (answer.status_code, error(answer)["code"]) == (400, "invalid_audio")


async def test_a_failure_after_some_text_is_an_event(app: Any, deps: Deps) -> None:
    async with listening(app) as client:
        claimed = await claim(deps)
        await record(deps, claimed, window(0, "Hello."))
        await client.had(1)
        await deps.store.fail(claimed, Failure("internal_error", "It failed three times."))
        await deps.bell.ring(ended(claimed.job.id))
        await client.had(3)
    assert client.events[1]["error"]["code"] == "internal_error"
    assert client.events[2] == "[DONE]"


async def test_silence_is_done_with_no_text(http: httpx.AsyncClient, deps: Deps) -> None:
    async def hear() -> None:
        await succeed(deps, await claim(deps), [window(0, "")])

    answer, _ = await asyncio.gather(http.post(SYNC, files=CLIP, data={"stream": "true"}), hear())
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, last = answer.text.strip().split("\n\n")
    assert json.loads(first.removeprefix("data: "))["text"] == ""
    assert last == "data: [DONE]"


async def test_a_client_that_goes_stops_the_work_and_gets_it_when_it_comes_back(
    app: Any, deps: Deps, stored: Any
) -> None:
    made = [window(0, "Hello."), window(1, "Bye.")]
    async with listening(app) as client:
        claimed = await claim(deps)
        await record(deps, claimed, made[0])
        await client.had(1)
    with pytest.raises(StaleClaim):
        await deps.store.renew(claimed, 60)
    async with listening(app) as client:
        again = await claim(deps)
        assert again.job.id == claimed.job.id
        await client.had(1)
        assert client.events[0]["delta"] == "Hello."
        await record(deps, again, made[1])
        await succeed(deps, again, made)
        await client.had(4)
    assert client.events[-2]["text"] == "Hello. Bye."
    assert files(stored) == []


async def test_what_nobody_comes_back_for_is_deleted(app: Any, deps: Deps, stored: Any) -> None:
    app.state.farewells = Farewells(replace(deps, settings=deps.settings.model_copy(update={"retry_seconds": 0.01})))
    async with listening(app):
        job = (await claim(deps)).job.id

    async def gone() -> bool:
        return await deps.store.get(job) is None and not files(stored)

    await until(gone, "the job to be deleted", 10)


async def test_requests_for_the_same_share_one_job(app: Any, http: httpx.AsyncClient, deps: Deps, stored: Any) -> None:
    made = [window(0, "Hello.")]
    async with listening(app) as leaving:
        claimed = await claim(deps)
        await record(deps, claimed, *made)
        await leaving.had(1)
        staying = [
            asyncio.create_task(http.post(SYNC, files=CLIP, data={"response_format": form}))
            for form in ["json", "text"]
        ]
        await until(lambda: _waiters(deps, claimed, 3), "all to wait", 10)
    await deps.store.renew(claimed, 60)
    assert await deps.store.claim("worker", 60) is None
    assert len(files(stored)) == 1
    await succeed(deps, claimed, made)
    assert [answer.text for answer in await asyncio.gather(*staying)] == [
        '{"text": "Hello.", "usage": {"type": "duration", "seconds": 20}}',
        "Hello.\n",
    ]
    assert files(stored) == []
    assert await deps.store.list(9) == []


async def _waiters(deps: Deps, claimed: Claim, count: int) -> bool:
    assert isinstance(deps.store, MemoryStore)
    return deps.store._rows[claimed.job.id].waiters == count


async def test_another_question_about_the_same_file_is_another_job(http: httpx.AsyncClient, deps: Deps) -> None:
    asked = [
        asyncio.create_task(http.post(SYNC, files=CLIP, data=fields))
        for fields in ({}, {"language": "de"}, {"prompt": "x"})
    ]
    claims = [await claim(deps) for _ in asked]
    assert len({each.job.id for each in claims}) == 3
    for each in claims:
        await deps.store.fail(each, Failure("internal_error", "It failed three times."))
        await deps.bell.ring(ended(each.job.id))
    answers = await asyncio.gather(*asked)
    assert {(each.status_code, each.headers["x-should-retry"]) for each in answers} == {(500, "false")}
