"""A model from a bucket: the loading code against a real S3 server."""

from collections.abc import Callable
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from assets import weights
from services import servers
from whisper_transcriber import engine
from whisper_transcriber.domain.model import ModelSpec, ModelUnavailable
from whisper_transcriber.models import resolve
from whisper_transcriber.objects.s3 import Bucket, S3Objects

NOWHERE = Path("/nonexistent")
TINY_EN = "sha256:" + weights.TINY_EN.model_sha256
BUCKET = "models-of-users"


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> servers.S3Server:
    """A server whose address and keys are in the environment, as the operator puts them there."""
    server = servers.s3()
    bucket = Bucket(BUCKET, "us-east-1", server.endpoint, server.access_key, server.secret_key)
    await S3Objects(bucket).prepare()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return server


def opened(server: servers.S3Server, prefix: str | None = None) -> S3Store:
    """The bucket, or a folder of it."""
    return S3Store(
        BUCKET,
        prefix=prefix,
        region="us-east-1",
        endpoint=server.endpoint,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        client_options={"allow_http": True},
    )


def upload(server: servers.S3Server, prefix: str, wanted: Callable[[str], bool]) -> None:
    """Put files of tiny.en into a folder of the bucket."""
    store = opened(server, prefix)
    for file in weights.tiny_en().iterdir():
        if wanted(file.name):
            obstore.put(store, file.name, file)


def spec(uri: str, digest: str | None = None) -> ModelSpec:
    return ModelSpec.model_validate({"name": "ours", "source": {"s3": {"uri": uri}}, "digest": digest})


async def test_a_model_is_fetched_from_a_bucket_once_proven_and_loaded(s3: servers.S3Server, tmp_path: Path) -> None:
    upload(s3, "speech/tiny.en", lambda name: True)
    ours = spec(f"s3://{BUCKET}/speech/tiny.en", TINY_EN)
    files = resolve(ours, NOWHERE, tmp_path)
    assert files.digest == TINY_EN
    assert engine.load(files, ours, 1).digest == TINY_EN
    obstore.delete(opened(s3), [f"speech/tiny.en/{file.name}" for file in weights.tiny_en().iterdir()])
    assert resolve(ours, NOWHERE, tmp_path) == files  # from the cache: the bucket is not asked again


async def test_what_a_bucket_lacks_is_said_by_name(s3: servers.S3Server, tmp_path: Path) -> None:
    upload(s3, "half", lambda name: name == "config.json")
    with pytest.raises(ModelUnavailable, match=r"s3://.*/half holds is not a CTranslate2 model: it lacks model\.bin"):
        resolve(spec(f"s3://{BUCKET}/half"), NOWHERE, tmp_path)


async def test_wrong_keys_or_a_wrong_bucket_say_what_to_check(
    s3: servers.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelUnavailable, match=r"could not be fetched from s3://no-such-bucket/a .*check the address"):
        resolve(spec("s3://no-such-bucket/a"), NOWHERE, tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ModelUnavailable, match=r"could not be fetched .*AWS_SECRET_ACCESS_KEY"):
        resolve(spec(f"s3://{BUCKET}/speech/tiny.en"), NOWHERE, tmp_path)
