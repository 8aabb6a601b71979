"""Results that the service's own processes write into a bucket on a real S3 server."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from assets import speech
from services.running import PATIENCE, Client, Service
from services.servers import s3, wait_until
from whisper_transcriber.objects.s3 import Bucket, S3Objects

ENDINGS = {"json": "json", "text": "txt", "srt": "srt", "vtt": "vtt", "verbose_json": "verbose.json"}


def deliveries(client: Client, job: str) -> list[dict[str, Any]]:
    with client.http as http:
        return list(http.get(f"/v1/jobs/{job}/deliveries").raise_for_status().json()["data"])


def written(client: Client, job: str) -> Mapping[str, Any]:
    """The delivery of a job's result, once it is in the bucket."""

    def over() -> bool:
        return [each["status"] for each in deliveries(client, job)] == ["delivered"]

    wait_until(over, f"the result of {job}", PATIENCE)
    return deliveries(client, job)[0]


async def content(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    objects = S3Objects(bucket)
    keys = [key async for key in objects.list(prefix)]
    return {key: b"".join([chunk async for chunk in objects.get(key)]) for key in keys}


def test_a_result_is_written_once_its_bucket_is_there(service: Service) -> None:
    store, name = s3(), f"texts-{uuid4().hex}"
    bucket = Bucket(name, "us-east-1", store.endpoint, store.access_key, store.secret_key)
    given = {"bucket": name, "endpoint": store.endpoint, "credentials": "S3_OUTPUT_0"}
    keys = {"S3_OUTPUT_0_ACCESS_KEY": store.access_key, "S3_OUTPUT_0_SECRET_KEY": store.secret_key + "\n"}
    client = Client(service.start("serve"))
    worker = service.start("work", WHISPER_S3_OUTPUTS=json.dumps([given]), **keys)
    output = json.dumps({"s3": {"url": f"s3://{name}/2026/"}})
    job = client.submit(speech.long(5).path, output=output)
    assert client.ended(job["id"])["status"] == "succeeded"

    wait_until(lambda: bool(deliveries(client, job["id"])[0]["attempts"]), "the first try", PATIENCE)
    (waiting,) = deliveries(client, job["id"])
    assert (waiting["status"], waiting["attempts"][0]["error"]) == (
        "pending",
        f"there is no bucket {name!r} at its endpoint",
    )
    asyncio.run(S3Objects(bucket).prepare())
    delivery = written(client, job["id"])
    assert delivery["url"] == f"s3://{name}/2026/"

    said = client.job(job["id"])["output"]["objects"]
    assert said == {form: f"s3://{name}/2026/{job['id']}.{ending}" for form, ending in ENDINGS.items()}
    first = asyncio.run(content(bucket, "2026/"))
    for form, url in said.items():
        assert first[url.removeprefix(f"s3://{name}/")] == client.result(job["id"], form).content
    with client.http as http:
        http.post(f"/v1/jobs/{job['id']}/deliveries/{delivery['id']}/redeliver").raise_for_status()
    wait_until(lambda: len(deliveries(client, job["id"])[0]["attempts"]) == 3, "it to be written again", PATIENCE)
    assert asyncio.run(content(bucket, "2026/")) == first
    assert store.secret_key not in worker.log.read_text() + client.api.log.read_text()


def test_only_the_formats_that_were_asked_for_and_no_bucket_of_others(service: Service) -> None:
    store, name = s3(), f"texts-{uuid4().hex}"
    bucket = Bucket(name, "us-east-1", store.endpoint, store.access_key, store.secret_key)
    asyncio.run(S3Objects(bucket).prepare())
    given = {"bucket": name, "endpoint": store.endpoint, "accessKey": store.access_key, "secretKey": store.secret_key}
    client = Client(service.start("serve"))
    service.start("work", WHISPER_S3_OUTPUTS=json.dumps([given | {"prefix": "ours/"}]))
    urls = {f"s3://{name}/ours/a": "", f"s3://{name}/theirs/a": "only below 'ours/'"}
    urls |= {f"s3://{service.env['WHISPER_S3_BUCKET']}/jobs/a": "not one that this service may write to for you"}
    for url, refusal in urls.items():
        output = json.dumps({"s3": {"url": url}, "formats": ["srt"]})
        job = client.submit(speech.long(5).path, output=output)["id"]  # the second and third take the result over
        assert client.ended(job)["status"] == "succeeded"
        if not refusal:
            written(client, job)
        else:
            wait_until(lambda job=job: bool(deliveries(client, job)[0]["attempts"]), "the first try", PATIENCE)  # type: ignore[misc]
            assert refusal in deliveries(client, job)[0]["attempts"][0]["error"]
    assert list(asyncio.run(content(bucket, ""))) == ["ours/a.srt"]
