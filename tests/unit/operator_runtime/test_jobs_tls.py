"""A TranscriptionJob whose transcriber's API speaks TLS: the operator verifies it as any client would."""

from __future__ import annotations

import ssl
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.transcriber_api import TranscriberApi
from whisper_operator.api import names
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.certs import certify
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.errors import Transient
from whisper_operator.handlers.witness import Witness
from whisper_operator.jobs import TRANSCRIPTION_JOB, Keys, abandon, follow
from whisper_operator.settings import Settings
from whisper_operator.transcripts import Transcripts

META = {"name": "main", "namespace": "ns"}
SPEC = {"tls": {"api": {"enabled": True}}}
LABEL = {"whisper-operator.dev/transcriber": "main"}
Manifest = dict[str, Any]


def transcriber(spec: Manifest) -> Manifest:
    return {"apiVersion": "whisper-operator.dev/v1alpha1", "kind": "WhisperTranscriber", "metadata": META, "spec": spec}


def job() -> Manifest:
    meta = {"name": "clip", "namespace": "ns"}
    spec = {"transcriberRef": {"name": "main"}, "source": {"http": {"url": "http://example.test/a.ogg"}}}
    return {"apiVersion": TRANSCRIPTION_JOB.api_version, "kind": "TranscriptionJob", "metadata": meta, "spec": spec}


def bundle(pem: str) -> Manifest:
    meta = {"name": "main-ca", "namespace": "ns", "labels": LABEL}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": pem}}


def certified(folder: Path) -> tuple[str, ssl.SSLContext]:
    """An authority, and the API's certificate of it."""
    now = datetime.now(UTC)
    made = certify(WhisperTranscriber.parse(transcriber(SPEC)), {}, now)
    (secret,) = (m for m in made.writes if m["metadata"]["name"] == "main-api-tls")
    for key in ("tls.crt", "tls.key"):
        (folder / key).write_bytes(b64decode(secret["data"][key]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return made.bundle, context


async def test_the_api_is_verified(tmp_path: Path) -> None:
    pem, context = certified(tmp_path)
    cluster = FakeCluster()
    keys, now = Keys(cluster), datetime.now(UTC)
    for manifest in (transcriber(SPEC), job()):
        await cluster.create(manifest)
    async with TranscriberApi().running(context) as server:
        # The certificate is for localhost, among others, and not for an address.
        url = server.url.replace("https:", "http:").replace("127.0.0.1", "localhost")

        async def look() -> Manifest:
            async with Transcripts(url) as api:
                await follow(cluster, api, keys, "ns", "clip", Settings(identity="test"), now)
            found: Manifest = cluster["TranscriptionJob", "clip"]["status"]
            return found

        assert (await look())["conditions"][0]["reason"] == "WaitingForTranscriber"
        await cluster.create(bundle(certified(tmp_path)[0]))  # another authority
        assert (await look())["conditions"][0]["reason"] == "WaitingForTranscriber"
        assert not server.submissions

        await cluster.apply(bundle(pem))
        assert "jobId" in await look()
        server.job.update(status="succeeded", results={"srt": "/v1/jobs/job-1/result?format=srt"})
        assert (await look())["results"]["srt"].startswith("https://main-api.ns.svc/v1/jobs/")


async def test_a_deleted_job_is_cancelled_over_tls_too(tmp_path: Path) -> None:
    pem, context = certified(tmp_path)
    cluster = FakeCluster()
    for manifest in (transcriber(SPEC), bundle(pem), job()):
        await cluster.create(manifest)
    async with TranscriberApi().running(context) as server:
        url = server.url.replace("https:", "http:").replace("127.0.0.1", "localhost")
        async with Transcripts(url) as api:
            keys = Keys(cluster)
            await follow(cluster, api, keys, "ns", "clip", Settings(identity="test"), datetime.now(UTC))
            await abandon(api, keys, cluster["TranscriptionJob", "clip"])
        assert server.job["status"] == "cancelled"


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_pod_is_asked_by_its_address_and_verified_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    pem, context = certified(tmp_path)
    cluster = FakeCluster()
    cr = WhisperTranscriber.parse(transcriber(SPEC if tls else {}))
    pod = {"metadata": {"labels": {"app.kubernetes.io/component": "api"}}, "status": {"podIP": "127.0.0.1"}}
    async with TranscriberApi().running(context if tls else None) as server, Transcripts(server.url) as api:
        monkeypatch.setattr(names, "API_PORT", int(server.url.rpartition(":")[2]))
        witness = Witness(cluster, api)
        await cluster.create(transcriber(SPEC if tls else {}))
        assert bool(await witness.ask(cr, pod)) is not tls, "nobody knows yet who certifies it"
        await cluster.create(bundle(pem))
        server.readiness = {"store": "password refused", "objects": "ok"}
        assert await witness.ask(cr, pod) == "the database: password refused"
        server.readiness = {}
        assert await witness.ask(cr, pod) == ""
        if tls:
            await cluster.apply(bundle(certified(tmp_path)[0]))  # another authority
            server.readiness = {"store": "unavailable"}
            assert await witness.ask(cr, pod) == ""


def test_a_way_over_https_keeps_a_port_of_its_own() -> None:
    pem = certify(WhisperTranscriber.parse(transcriber(SPEC)), {}, datetime.now(UTC)).bundle
    template = Transcripts.__new__(Transcripts)
    for given, wanted in (
        ("http://{name}-api.{namespace}.svc:80", "https://main-api.ns.svc"),
        ("http://x:1", "https://x:1"),
    ):
        template._url = given
        assert template.way("ns", "main", pem).url == wanted
        assert template.way("ns", "main").tls is None
    with pytest.raises(Transient):
        template.way("ns", "main", "no certificate")
