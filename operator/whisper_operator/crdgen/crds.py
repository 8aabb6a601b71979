"""The CustomResourceDefinitions: schema, columns and subresources of each kind."""

from typing import Any

from pydantic import BaseModel

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.job import JobSpec, JobStatus
from whisper_operator.api.v1alpha1.transcriber import TranscriberSpec, TranscriberStatus
from whisper_operator.api.v1alpha1.transcriber_rules import ROOT_RULES
from whisper_operator.crdgen.schema import Schema, structural

Crd = dict[str, Any]
# What nobody has looked at is in progress: tools that judge by conditions alone would take it for done.
_UNSEEN: Schema = {"observedGeneration": -1}


def _column(name: str, kind: str, path: str, description: str, priority: int = 0) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": priority} if priority else column


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE = _column("Age", "date", ".metadata.creationTimestamp", "When it was made.")
_TRANSCRIBER_COLUMNS = [
    _column("Ready", "string", _condition("Ready", "status"), "Whether the service answers."),
    _column("Workers", "integer", ".status.workers.ready", "Workers that are ready."),
    _column("Queue", "integer", ".status.queuedJobs", "Jobs that wait for a worker."),
    _column("Model", "string", ".status.model", "The default model."),
    _column("Version", "string", ".status.version", "Version of the transcriber."),
    _AGE,
    _column("Reason", "string", _condition("Ready", "reason"), "Why it is ready or not.", 1),
    _column("Message", "string", _condition("Ready", "message"), "What to do about it.", 1),
]
_JOB_COLUMNS = [
    _column("Status", "string", _condition("Succeeded", "reason"), "Where the job is, or how it ended."),
    _column("Progress", "integer", ".status.progress", "Percent done."),
    _column("Audio", "number", ".status.audioSeconds", "Length of the audio, in seconds."),
    _column("Language", "string", ".status.language", "Language given or detected."),
    _AGE,
    _column("RTF", "number", ".status.realTimeFactor", "Seconds of work for each second of audio.", 1),
    _column("Message", "string", _condition("Succeeded", "message"), "What to do about it.", 1),
]


def _crd(
    kind: str,
    plural: str,
    short: str,
    what: str,
    spec: type[BaseModel],
    status: type[BaseModel],
    columns: list[Schema],
    subresources: Schema,
) -> Crd:
    schema: Schema = {
        "description": what,
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {names.API_VERSION}."},
            "kind": {"type": "string", "description": f"Always {kind}."},
            "metadata": {"type": "object"},
            "spec": structural(spec),
            "status": {**structural(status, defaults=False), "default": _UNSEEN},
        },
    }
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, **subresources},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": [names.CATEGORY],
            },
            "versions": [version],
        },
    }


def transcriber() -> Crd:
    """WhisperTranscriber: `spec` may be left out, and it scales."""
    scale = {
        "specReplicasPath": ".spec.workers.replicas",
        "statusReplicasPath": ".status.workers.replicas",
        "labelSelectorPath": ".status.selector",
    }
    crd = _crd(
        names.TRANSCRIBER_KIND,
        names.TRANSCRIBER_PLURAL,
        "wt",
        "A speech-to-text service: API, workers, database, queue and object store. `spec: {}` is complete.",
        TranscriberSpec,
        TranscriberStatus,
        _TRANSCRIBER_COLUMNS,
        {"scale": scale},
    )
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["default"] = {}
    schema.update(ROOT_RULES)
    return crd


def job() -> Crd:
    """TranscriptionJob."""
    crd = _crd(
        names.JOB_KIND,
        names.JOB_PLURAL,
        "tj",
        "One audio file's way through a WhisperTranscriber.",
        JobSpec,
        JobStatus,
        _JOB_COLUMNS,
        {},
    )
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["required"] = ["spec"]
    return crd


def every() -> list[Crd]:
    """All CRDs, in a stable order."""
    return [transcriber(), job()]
