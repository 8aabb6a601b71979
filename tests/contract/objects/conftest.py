from pathlib import Path
from uuid import uuid4

import pytest

from services import servers
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.objects.encrypted import EncryptedObjects, Policy
from whisper_transcriber.objects.keyring import Keyring, new_key
from whisper_transcriber.objects.magic import PlainObjects
from whisper_transcriber.objects.port import Objects
from whisper_transcriber.objects.s3 import Bucket, S3Objects


def new_bucket() -> Bucket:
    """A bucket of the test server that is not there yet."""
    s3 = servers.s3()
    return Bucket(f"test-{uuid4().hex}", "us-east-1", s3.endpoint, s3.access_key, s3.secret_key)


@pytest.fixture
def bucket() -> Bucket:
    return new_bucket()


@pytest.fixture(params=["disk", "s3"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """An empty store of each kind."""
    made: Objects = DiskObjects(tmp_path / "objects") if request.param == "disk" else S3Objects(new_bucket())
    await made.prepare()
    return made


@pytest.fixture(params=["bare", "plain", "encrypted", "encrypted in tiny chunks"])
def objects(request: pytest.FixtureRequest, backend: Objects) -> Objects:
    """The store as it is, and in each of its wrappings."""
    match request.param:
        case "bare":
            return backend
        case "plain":
            return PlainObjects(backend)
    policy = Policy(bits=12) if "tiny" in request.param else Policy()
    return EncryptedObjects(backend, Keyring("one", {"one": new_key()}), policy)
