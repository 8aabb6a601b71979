"""What is handed over to the transcriber's API: the fields, the audio, the key."""

import base64
import re
from typing import Any

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.job import TranscriptionJob, Vad
from whisper_operator.api.v1alpha1.job_source import JobSource
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.api.v1alpha1.webhook import WEBHOOK_URL, SecretUrl
from whisper_operator.cluster.port import CONFIG_MAP, SECRET, Cluster, name_of
from whisper_operator.errors import InvalidSpec, Transient
from whisper_operator.reconcile import TRANSCRIBER
from whisper_operator.transcripts import Upload


class NotThereYet(Exception):
    """What the job names does not exist (yet); `reason` is the condition's."""

    reason = "SourceNotFound"


class SourceNotFound(NotThereYet):
    """The audio's ConfigMap or its key does not exist (yet)."""


class SecretNotFound(NotThereYet):
    """The Secret with the webhook's URL, or its key, does not exist (yet)."""

    reason = "SecretNotFound"


class Keys:
    """API keys by transcriber, read once and again after a refusal: a poll should not cost a call to Kubernetes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._known: dict[tuple[str, str], str | None] = {}

    async def get(self, namespace: str, transcriber: str) -> str | None:
        """The key, or None where there is none (spec.api.auth.enabled is false, or it is not made yet)."""
        where = (namespace, transcriber)
        if self._known.get(where) is None:
            secret = await self.cluster.get(SECRET, namespace, names.api_key(transcriber))
            encoded = ((secret or {}).get("data") or {}).get(names.KEY_API_KEY)
            self._known[where] = base64.b64decode(encoded).decode() if encoded else None
        return self._known[where]

    def forget(self, namespace: str, transcriber: str) -> None:
        """Read the key anew next time."""
        self._known.pop((namespace, transcriber), None)


async def authorities(cluster: Cluster, namespace: str, transcriber: str) -> str | None:
    """Who certifies the transcriber's API (PEM); None where it speaks plain HTTP. Raises: Transient, if not known yet.

    Both the transcriber and its children are watched: a look that has a mirror makes no call here.
    """
    body = await cluster.get(TRANSCRIBER, namespace, transcriber)
    try:
        if body is None or not WhisperTranscriber.parse(body).spec.tls.serves:
            return None
    except InvalidSpec:
        return None  # it says so itself
    found = await cluster.list(CONFIG_MAP, namespace, {names.LABEL_TRANSCRIBER: transcriber})
    bundle = next((m for m in found if name_of(m) == names.authority(transcriber)), None)
    if bundle is None:
        raise Transient("nobody knows yet who certifies the transcriber's API")
    return str(bundle["data"][names.KEY_CA])


def fields(cr: TranscriptionJob) -> dict[str, Any]:
    """The request but for its audio, as the API spells it; what was not said is left to the API."""
    spec = cr.spec
    given = {
        "model": spec.model,
        "language": spec.language,
        "languages": list(spec.languages) or None,
        "task": spec.task,
        "prompt": spec.prompt,
        "keywords": list(spec.keywords) or None,
        "chunkingStrategy": _chunking(spec.vad),
        # A transcriber of an earlier version does not know the first of these, and takes what is usual as not said.
        "channels": spec.channels if spec.channels != "mixed" else None,
        "temperature": spec.temperature or None,
        "wordTimestamps": spec.word_timestamps,
        "priority": spec.priority,
        "source": _source(spec.source),
        "output": _output(cr),
    }
    return {key: value for key, value in given.items() if value is not None}


def _source(given: JobSource) -> dict[str, Any] | None:
    if given.http:
        return {"http": {"url": given.http.url}}
    return {"s3": {"url": given.s3.url}} if given.s3 else None


def _output(cr: TranscriptionJob) -> dict[str, Any] | None:
    """Named after the resource, not after the transcriber's job: handed over again, it writes the same objects."""
    if cr.spec.output is None:
        return None
    url = cr.spec.output.s3.url
    where = {"s3": {"url": f"{url}{cr.name}" if url.endswith("/") else url}}
    return where | ({"formats": list(cr.spec.formats)} if cr.spec.formats else {})


def _chunking(vad: Vad | None) -> dict[str, Any] | None:
    given = {} if vad is None else vad.model_dump(exclude_none=True)
    return {"type": "server_vad", **given} if given else None


async def webhook(cluster: Cluster, cr: TranscriptionJob) -> dict[str, Any]:
    """The field that says whom to tell of the job's end, if anybody.

    Raises: SecretNotFound, InvalidSpec (without the value: it is a secret).
    """
    asked = cr.spec.webhook
    if asked is None:
        return {}
    given: dict[str, Any] = {"url": asked.url or await _url(cluster, cr, asked.url_secret_ref)}
    if asked.events:
        given["events"] = list(asked.events)
    return {"webhook": {**given, "transcript": asked.transcript}}


async def _url(cluster: Cluster, cr: TranscriptionJob, ref: SecretUrl | None) -> str:
    assert ref is not None, "a webhook has exactly one of them"
    found = await cluster.get(SECRET, cr.namespace, ref.name)
    encoded = ((found or {}).get("data") or {}).get(ref.key)
    where = f"Secret {ref.name} in namespace {cr.namespace}, named by spec.webhook.urlSecretRef,"
    if not encoded:
        said = f"has no key {ref.key}: add it" if found else f"does not exist: create it with the key {ref.key}"
        raise SecretNotFound(f"{where} {said}")
    url = base64.b64decode(encoded).decode(errors="replace").strip()
    if not re.match(WEBHOOK_URL, url):
        raise InvalidSpec(f"{where} has no http:// or https:// URL in its key {ref.key}.")
    return url


async def upload(cluster: Cluster, cr: TranscriptionJob) -> Upload | None:
    """The audio that goes with the request, or None where the API fetches it.

    Raises: SourceNotFound.
    """
    source = cr.spec.source.config_map
    if source is None:
        return None
    found = await cluster.get(CONFIG_MAP, cr.namespace, source.name)
    if found is None:
        raise SourceNotFound(f"ConfigMap {source.name} does not exist in namespace {cr.namespace}: create it")
    if source.key in (found.get("binaryData") or {}):
        return Upload(source.key, base64.b64decode(found["binaryData"][source.key]))
    if source.key in (found.get("data") or {}):
        return Upload(source.key, found["data"][source.key].encode())
    raise SourceNotFound(f"ConfigMap {source.name} has no key {source.key}, neither in binaryData nor in data: add it")
