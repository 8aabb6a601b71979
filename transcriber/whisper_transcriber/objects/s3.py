"""Objects in S3, or in anything that speaks it."""

from dataclasses import dataclass
from datetime import timedelta

import httpx
import obstore
from obstore.store import S3Store

from whisper_transcriber.objects.obstore import ObstoreObjects
from whisper_transcriber.objects.port import Unavailable


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is. An empty endpoint means the S3 of `region`; empty keys mean the ambient credentials."""

    name: str
    region: str
    endpoint: str = ""
    access_key: str = ""
    secret_key: str = ""


class S3Objects(ObstoreObjects):
    """Objects in one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._s3 = _open(bucket)
        super().__init__(self._s3, f"the bucket {bucket.name!r}")

    async def prepare(self) -> None:
        # obstore makes no buckets, but signs any request: a PUT of the bucket's root makes it.
        url = obstore.sign(self._s3, "PUT", "", timedelta(minutes=5))
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                answer = await client.put(url)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._name} cannot be made: {type(error).__name__}") from error
        if answer.is_error and not _is_ours(answer):
            raise Unavailable(f"{self._name} cannot be made: HTTP {answer.status_code} {_code(answer)}")


def _open(bucket: Bucket) -> S3Store:
    known: dict[str, str] = {}
    if bucket.access_key:
        known |= {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key}
    if bucket.endpoint:
        known["endpoint"] = bucket.endpoint
    return S3Store(
        bucket.name,
        region=bucket.region,
        virtual_hosted_style_request=not bucket.endpoint,
        client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "60s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        **known,
    )


def _is_ours(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.CONFLICT and _code(answer) == "BucketAlreadyOwnedByYou"


def _code(answer: httpx.Response) -> str:
    """The code of an S3 error body, or nothing."""
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]
