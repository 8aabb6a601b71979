"""Objects in S3, or in anything that speaks it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import obstore
from obstore.store import S3Store

from whisper_transcriber.objects.obstore import ObstoreObjects
from whisper_transcriber.objects.port import Unavailable
from whisper_transcriber.trust import Trust

if TYPE_CHECKING:  # a type without a run-time form
    from obstore.store import ClientConfig


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is. An empty endpoint means the S3 of `region`; empty keys mean the ambient credentials."""

    name: str
    region: str
    endpoint: str = ""
    access_key: str = ""
    secret_key: str = ""
    trust: Trust | None = None


class S3Objects(ObstoreObjects):
    """Objects in one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._pem = ""
        self._s3: S3Store | None = None
        super().__init__(self._client, f"the bucket {bucket.name!r}")

    def _client(self) -> S3Store:
        """The client; a new one when other authorities are to be trusted, while what is on its way ends with its own.

        Raises: Unavailable, while there is no file of authorities.
        """
        try:
            pem = self._bucket.trust.pem() if self._bucket.trust else ""
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._name}: its authorities cannot be read: {type(error).__name__}") from error
        if self._s3 is None or pem != self._pem:
            self._s3, self._pem = _open(self._bucket, pem), pem
        return self._s3

    async def prepare(self) -> None:
        # obstore makes no buckets, but signs any request: a PUT of the bucket's root makes it.
        url = obstore.sign(self._client(), "PUT", "", timedelta(minutes=5))
        verify = self._bucket.trust.context() if self._bucket.trust else True
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30, verify=verify) as client:
                answer = await client.put(url)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._name} cannot be made: {type(error).__name__}") from error
        if answer.is_error and not _is_ours(answer):
            raise Unavailable(f"{self._name} cannot be made: HTTP {answer.status_code} {_code(answer)}")


def _open(bucket: Bucket, authorities: str) -> S3Store:
    known: dict[str, str] = {}
    if bucket.access_key:
        known |= {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key}
    if bucket.endpoint:
        known["endpoint"] = bucket.endpoint
    options: ClientConfig = {"allow_http": True, "connect_timeout": "5s", "timeout": "60s"}
    if authorities:
        options["root_certificate"] = authorities
    return S3Store(
        bucket.name,
        region=bucket.region,
        virtual_hosted_style_request=not bucket.endpoint,
        client_options=options,
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        **known,
    )


def _is_ours(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.CONFLICT and _code(answer) == "BucketAlreadyOwnedByYou"


def _code(answer: httpx.Response) -> str:
    """The code of an S3 error body, or nothing."""
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]
