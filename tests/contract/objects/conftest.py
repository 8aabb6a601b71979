from pathlib import Path
from uuid import uuid4

import pytest

from services import servers
from whisper_transcriber.objects.disk import DiskObjects
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
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """An empty store of each kind."""
    made: Objects = DiskObjects(tmp_path / "objects") if request.param == "disk" else S3Objects(new_bucket())
    await made.prepare()
    return made
