"""Manifests that tests apply."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

Manifest = Mapping[str, Any]


def restricted_namespace(name: str) -> Manifest:
    """A Namespace in which Pod Security `restricted` is enforced."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


LIGHT: Manifest = {"pod": {"resources": {"requests": {"cpu": "50m", "memory": "512Mi"}}}}
"""Of `spec.workers`: so that several transcribers find room on a node of two processors."""


def transcriber(name: str, **spec: Any) -> Manifest:
    """A WhisperTranscriber."""
    return {
        "apiVersion": "whisper-operator.dev/v1alpha1",
        "kind": "WhisperTranscriber",
        "metadata": {"name": name},
        "spec": spec,
    }


def job(name: str, transcriber: str, source: Mapping[str, Any], **spec: Any) -> Manifest:
    """A TranscriptionJob."""
    return {
        "apiVersion": "whisper-operator.dev/v1alpha1",
        "kind": "TranscriptionJob",
        "metadata": {"name": name},
        "spec": {"transcriberRef": {"name": transcriber}, "source": source, **spec},
    }


def web_server(name: str, config_map: str) -> list[Manifest]:
    """A pod and service that serve a ConfigMap's files by plain HTTP on port 8080, within `restricted`."""
    container = {
        "name": "web",
        "image": f"whisper-operator/operator:{version('whisper-operator')}",
        "command": ["python3", "-m", "http.server", "8080", "--directory", "/files"],
        "volumeMounts": [{"name": "files", "mountPath": "/files"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "files", "configMap": {"name": config_map}}],
            "terminationGracePeriodSeconds": 0,
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]},
    }
    return [pod, service]
