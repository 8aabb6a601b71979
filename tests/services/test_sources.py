"""Audio by URL, where private networks are allowed."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from assets import speech
from clips import word_error_rate
from services.running import Client, Service
from services.servers import s3
from whisper_transcriber.objects.s3 import Bucket, S3Objects


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        return None


def test_a_worker_fetches_what_a_url_names(service: Service) -> None:
    clip = speech.long(5)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(clip.path.parent))) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        base = f"http://127.0.0.1:{web.server_port}"
        client = Client(service.start("serve"))
        service.start("work", WHISPER_FETCH_ALLOW_PRIVATE="true")
        with client.http as http:
            urls = [f"{base}/{clip.path.name}", f"{base}/missing.wav"]
            jobs = [http.post("/v1/jobs", json={"source": {"http": {"url": url}}}).json()["id"] for url in urls]
        done, missing = client.ended(jobs[0]), client.ended(jobs[1])
        web.shutdown()
        thread.join()
    assert done["status"] == "succeeded", done
    assert word_error_rate(clip.text, client.result(jobs[0], "text").text) < 0.3
    assert missing["error"] == {"code": "fetch_failed", "message": "The server answered HTTP 404."}


def test_a_worker_fetches_out_of_the_buckets_that_it_was_given(service: Service) -> None:
    clip, store, name = speech.long(5), s3(), f"calls-{uuid4().hex}"
    asyncio.run(
        _keep(Bucket(name, "us-east-1", store.endpoint, store.access_key, store.secret_key), clip.path.read_bytes())
    )
    given = {"bucket": name, "endpoint": store.endpoint, "credentials": "S3_SOURCE_0"}
    keys = {"S3_SOURCE_0_ACCESS_KEY": store.access_key, "S3_SOURCE_0_SECRET_KEY": store.secret_key + "\n"}
    client = Client(service.start("serve"))
    worker = service.start("work", WHISPER_S3_SOURCES=json.dumps([given]), **keys)
    urls = (f"s3://{name}/2026/a call.wav", f"s3://{name}/none.wav", f"s3://{service.env['WHISPER_S3_BUCKET']}/a")
    with client.http as http:
        jobs = [http.post("/v1/jobs", json={"source": {"s3": {"url": url}}}).json()["id"] for url in urls]
    done, missing, ours = (client.ended(job) for job in jobs)
    assert done["status"] == "succeeded", done
    assert word_error_rate(clip.text, client.result(jobs[0], "text").text) < 0.3
    assert missing["error"]["code"] == ours["error"]["code"] == "fetch_failed"
    assert "no object 'none.wav'" in missing["error"]["message"]
    assert "is not one that this service may read for you" in ours["error"]["message"]
    assert store.secret_key not in worker.log.read_text() + client.api.log.read_text()


async def _keep(bucket: Bucket, audio: bytes) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield audio

    objects = S3Objects(bucket)
    await objects.prepare()
    await objects.put("2026/a call.wav", body())


def test_a_worker_reaches_nothing_inside_and_says_so(service: Service) -> None:
    reached: list[str] = []

    class Inside(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Inside) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        client, port = Client(service.start("serve")), web.server_port
        service.start("work")
        urls = [f"http://{host}:{port}/" for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]")]
        urls += ["http://a..example/", "http://[::1/", "file:///etc/passwd", f"http://user:secret@127.0.0.1:{port}/"]
        with client.http as http:
            jobs = [http.post("/v1/jobs", json={"source": {"http": {"url": url}}}).json()["id"] for url in urls]
        ended = [client.ended(job) for job in jobs]
        web.shutdown()
        thread.join()
    assert [(job["status"], job["error"]["code"]) for job in ended] == [("failed", "fetch_failed")] * len(urls)
    assert "secret" not in "".join(job["error"]["message"] for job in ended)
    assert reached == []
