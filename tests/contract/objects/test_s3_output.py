"""Results into a bucket: the ones that the service was given for that, and for whom."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import obstore
import pytest
from pydantic import SecretStr

from services import servers
from services.secured import objects
from services.servers import ACCESS_KEY, SECRET_KEY
from testbed import pki
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.http import Limits
from whisper_transcriber.fetch.s3 import bucket_of, fetch_s3
from whisper_transcriber.fetch.s3_output import write_s3
from whisper_transcriber.objects.s3 import S3Objects
from whisper_transcriber.settings import S3Output, load_settings

SRT = (b"1\n00:00:00,000 --> 00:00:01,000\nHello.\n", "text/plain; charset=utf-8")


@pytest.fixture
async def output() -> S3Output:
    """A bucket that one tenant may write to, below a prefix."""
    store = servers.s3()
    given = {"bucket": f"texts-{uuid4().hex}", "endpoint": store.endpoint, "accessKey": store.access_key}
    given |= {"secretKey": store.secret_key}
    limits = {"prefix": "2026/", "tenants": ["one"]}
    [made] = load_settings(s3_outputs=json.dumps([given | limits])).s3_outputs
    await S3Objects(bucket_of(made)).prepare()
    return made


async def write(output: S3Output, key: str, tenant: str = "one", seconds: float = 30) -> None:
    await write_s3({f"s3://{output.bucket}/{key}": SRT}, tenant, [output], seconds)


async def test_what_is_written_is_there_with_its_type_and_again_it_is_the_same(output: S3Output) -> None:
    for _ in range(2):
        await write(output, "2026/a b.srt")
    objects = S3Objects(bucket_of(output))
    assert b"".join([chunk async for chunk in objects.get("2026/a b.srt")]) == SRT[0]
    found = await obstore.get_async(objects._store, "2026/a b.srt")
    assert found.attributes["Content-Type"] == SRT[1]
    assert [key async for key in objects.list("2026/")] == ["2026/a b.srt"]


async def test_a_large_one_goes_in_parts(output: S3Output) -> None:
    body = bytes(12 * 1024**2)
    await write_s3({f"s3://{output.bucket}/2026/long.json": (body, "application/json")}, "one", [output], 60)
    assert sum([len(chunk) async for chunk in S3Objects(bucket_of(output)).get("2026/long.json")]) == len(body)


@pytest.mark.parametrize(
    ("key", "tenant", "says"),
    [
        ("2026/a.srt", "two", "not one that this service may write to for you"),
        ("2025/a.srt", "one", "only below '2026/'"),
    ],
)
async def test_what_is_not_theirs_is_refused(output: S3Output, key: str, tenant: str, says: str) -> None:
    with pytest.raises(FetchFailed, match=says):
        await write(output, key, tenant)
    assert [key async for key in S3Objects(bucket_of(output)).list("2026/")] == []


async def test_any_other_bucket_is_refused(output: S3Output) -> None:
    with pytest.raises(FetchFailed, match="the bucket 'whisper' is not one"):
        await write_s3({"s3://whisper/2026/a.srt": SRT}, "one", [output], 30)


async def test_each_trouble_has_its_reason_and_no_secret_is_told(output: S3Output) -> None:
    secret = type(output.secret_key)
    wrong: dict[str, dict[str, object]] = {
        "refuses what its keys may do": {"secret_key": secret("swordfish")},
        "there is no bucket": {"bucket": f"none-{uuid4().hex}"},
        "could not be written to": {"endpoint": f"http://127.0.0.1:{servers.free_port()}"},
    }
    for says, changes in wrong.items():
        with pytest.raises(FetchFailed, match=says) as caught:
            await write(output.model_copy(update=changes), "2026/a.srt")
        assert "swordfish" not in str(caught.value)


async def test_a_store_of_a_private_authority_is_believed_where_that_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki.make(folder, [pki.Identification("s3", "s3", names=("DNS:localhost",))])
    pair = {"tls.crt": (folder / "s3.crt").read_text(), "tls.key": (folder / "s3.key").read_text()}
    secured = objects(pair)
    given = S3Output(
        bucket=f"texts-{uuid4().hex}",
        endpoint=secured.env["WHISPER_S3_ENDPOINT"],
        access_key=SecretStr(ACCESS_KEY),
        secret_key=SecretStr(SECRET_KEY),
    )
    url, authority = f"s3://{given.bucket}/a.srt", folder / "ca.crt"
    await S3Objects(bucket_of(given, authority)).prepare()
    await write_s3({url: SRT}, "one", [given], 30, authority)
    limits = Limits(max_bytes=1000, max_seconds=30, authorities=authority)
    assert b"".join([chunk async for chunk in fetch_s3(url, "one", [given], limits)]) == SRT[0]
    with pytest.raises(FetchFailed, match="could not be written to"):
        await write_s3({url: SRT}, "one", [given], 30)
    with pytest.raises(FetchFailed, match="could not be read"):
        await anext(fetch_s3(url, "one", [given], replace(limits, authorities=None)))


async def test_a_store_that_does_not_answer_is_not_waited_for(output: S3Output) -> None:
    with pytest.raises(FetchFailed, match="took too long"):
        await write(output, "2026/a.srt", seconds=0)
