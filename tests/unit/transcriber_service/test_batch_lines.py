"""A file of requests with something wrong in it: nothing is done, and what is wrong is told by line and field."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from unit.transcriber_service.batch_requests import WEB, led, line, made, text
from unit.transcriber_service.calls import files
from whisper_transcriber.deps import Deps


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ("no json", None, "invalid_json_line"),
        ("[" * 50_000, None, "invalid_json_line"),
        ("x" * 70_000, None, "line_too_long"),
        (line(url=WEB, prompt="\0"), None, "invalid_json_line"),
        ({**line(url=WEB), "custom_id": ""}, "custom_id", "invalid_value"),
        ({**line(url=WEB), "method": "GET"}, "method", "invalid_value"),
        ({**line(url=WEB), "more": 1}, "more", "invalid_value"),
        ({**line(url=WEB), "url": "/v1/audio/translations"}, "url", "invalid_url"),
        (line("first", url=WEB), "custom_id", "duplicate_custom_id"),
        (line(), "body", "missing_required_parameter"),
        (line(url=WEB, file="file-1"), "body", "missing_required_parameter"),
        (line(url="ftp://a.example/x"), "body.url", "invalid_value"),
        (line(url="s3://x"), "body.url", "invalid_value"),
        (line(url=7), "body.url", "invalid_value"),
        (line(source={"http": {"url": WEB}, "s3": None, "x": 1}), "body.source", "invalid_value"),
        (line(file="file-none"), "body.file", "file_not_found"),
        (line(file=f"file-{'0' * 32}"), "body.file", "file_not_found"),
        (line(url=WEB, model="none"), "body.model", "model_not_found"),
        (line(url=WEB, response_format="pdf"), "body.response_format", "invalid_value"),
        (line(url=WEB, temperature=3), "body.temperature", "invalid_value"),
        (line(url=WEB, language="klingon"), "body.language", "invalid_value"),
        (line(url=WEB, stream=True), "body.stream", "unsupported_value"),
        (line(url=WEB, colour="red"), "body.colour", "unsupported_parameter"),
        (line(url=WEB, prompt=["a", "b"]), "body.prompt", "invalid_value"),
        (line(url=WEB, prompt=[{}]), "body.prompt", "invalid_value"),
    ],
)
async def test_a_wrong_line_fails_the_batch_before_anything_is_done(
    client: openai.AsyncOpenAI, deps: Deps, wrong: Any, param: str | None, code: str, stored: Path
) -> None:
    batch = await made(client, text(line("first", url=WEB), wrong, line("last", url=WEB)))
    await led(deps)
    failed = await client.batches.retrieve(batch.id)
    assert (failed.status, failed.output_file_id, failed.error_file_id) == ("failed", None, None)
    assert failed.failed_at and failed.errors and failed.errors.data
    (problem,) = failed.errors.data
    assert (problem.line, problem.param, problem.code) == (2, param, code), problem
    assert problem.message
    assert await deps.store.list(9) == []
    assert not [path for path in files(stored) if "batches" in path.parts]


async def test_limits_are_told(client: openai.AsyncOpenAI, deps: Deps) -> None:
    few = replace(deps, settings=deps.settings.model_copy(update={"batch_max_lines": 2}))
    many, none = await made(client, text(*(line(n, url=WEB) for n in "abc"))), await made(client, b"\n \n")
    await led(few)
    failed, empty = [await client.batches.retrieve(each.id) for each in (many, none)]
    assert failed.errors and failed.errors.data and empty.errors and empty.errors.data
    assert (failed.errors.data[0].code, failed.errors.data[0].line) == ("too_many_lines", 3)
    assert empty.errors.data[0].code == "empty_file"
