"""The CRDs and the plan against a real API server: what it takes, what it refuses and in which words."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import binaries
from testbed.recipes import KUBERNETES
from whisper_operator.api.names import API_VERSION
from whisper_operator.api.v1alpha1 import TranscriptionJob, WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate

ROOT = Path(__file__).parents[2]
SETTINGS = PlanSettings()


@dataclass(frozen=True)
class Api:
    """kubectl against one API server, in one namespace."""

    kubeconfig: Path
    namespace: str = "default"

    def run(self, *arguments: str, manifest: Any = None) -> subprocess.CompletedProcess[str]:
        program = str(binaries.cached(KUBERNETES, "kubectl"))
        return subprocess.run(
            [program, "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments],
            input=None if manifest is None else yaml.safe_dump(manifest),
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(self.kubeconfig.parent)},
        )

    def do(self, *arguments: str, manifest: Any = None) -> str:
        done = self.run(*arguments, manifest=manifest)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, manifest: Any, *arguments: str) -> dict[str, Any]:
        """Server-side apply, strict; the live object."""
        flags = ("--server-side", "--force-conflicts", "--validate=strict", "--output=json", "--filename=-")
        return dict(json.loads(self.do("apply", *flags, *arguments, manifest=manifest)))

    def refusal(self, manifest: Any) -> str:
        """What the API server says against it."""
        done = self.run("apply", "--server-side", "--validate=strict", "--filename=-", manifest=manifest)
        assert done.returncode != 0, f"it was taken: {manifest}"
        return done.stderr


@pytest.fixture(scope="session")
def api(control_plane: Path) -> Api:
    """The API server with our CRDs, taken from the files that we ship."""
    server = Api(control_plane)
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        server.do("apply", "--server-side", "--force-conflicts", f"--filename={crd}")
    server.do("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return server


@pytest.fixture
def restricted(api: Api) -> Iterator[Api]:
    """A namespace of its own in which Pod Security `restricted` is enforced."""
    name = f"plan-{uuid.uuid4().hex[:12]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Api(api.kubeconfig, name)
    api.do("delete", "namespace", name, "--wait=false")


def transcriber(spec: Any = None, name: str = "main") -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "WhisperTranscriber",
        "metadata": {"name": name},
        **({} if spec is None else {"spec": spec}),
    }


JOB: dict[str, Any] = {
    "transcriberRef": {"name": "main"},
    "source": {"configMap": {"name": "clip", "key": "clip.wav"}},
}


def job(spec: Any, name: str = "clip") -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "TranscriptionJob", "metadata": {"name": name}, "spec": spec}


FULL: dict[str, Any] = {
    "version": "0.1.0",
    "deletionPolicy": "Delete",
    "images": {"registry": "registry.example.com", "pullSecrets": [{"name": "pull"}]},
    "models": [
        {"name": "large-v3-turbo", "aliases": ["large"], "computeType": "float16"},
        {"name": "own", "source": {"s3": {"uri": "s3://models/own", "secretRef": {"name": "models"}}}},
        {"name": "kept", "source": {"pvc": {"claimName": "models", "path": "kept"}}, "digest": "sha256:" + "0" * 64},
    ],
    "defaultModel": "large",
    "workers": {
        "replicas": 2,
        "gpu": {"count": 1},
        "pod": {
            "resources": {"requests": {"cpu": 2, "memory": "8192Mi"}, "limits": {"memory": "16Gi"}},
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}],
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]},
                        }
                    ]
                }
            },
            "env": [
                {"name": "HF_ENDPOINT", "value": "https://hub.example.com"},
                {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
            ],
            "annotations": {"example.com/a": "b"},
            "labels": {"team": "speech"},
            "runtimeClassName": "nvidia",
        },
    },
    "api": {"replicas": 3, "auth": {"enabled": False}, "limits": {"maxUploadBytes": 1048576}},
    "postgres": {"managed": {"storage": "20Gi", "storageClassName": "fast", "parameters": {"max_connections": "200"}}},
    "redis": {"managed": {"maxMemory": "256Mi"}},
    "objects": {"managed": {"storage": "200Gi"}},
    "fetch": {"allowPrivateNetworks": True},
}
EXTERNAL: dict[str, Any] = {
    "postgres": {"external": {"secretRef": {"name": "pg", "key": "url"}}},
    "redis": {"external": {"secretRef": {"name": "redis"}}},
    "objects": {"external": {"endpoint": "https://s3.example.com", "bucket": "whisper", "secretRef": {"name": "s3"}}},
}

# What a person may get wrong, and a word of the answer by which they find it.
POD: Callable[..., dict[str, Any]] = lambda **pod: {"api": {"pod": pod}}  # noqa: E731
BAD_TRANSCRIBERS: dict[str, tuple[Any, str]] = {
    "size": ({"postgres": {"managed": {"storage": "lots"}}}, "spec.postgres.managed.storage"),
    "size without unit": ({"redis": {"managed": {"storage": 8}}}, "spec.redis.managed.storage must be at least"),
    "negative": ({"workers": {"replicas": -1}}, "spec.workers.replicas"),
    "not a number": ({"workers": {"replicas": "two"}}, "spec.workers.replicas"),
    "enum": ({"deletionPolicy": "Maybe"}, "spec.deletionPolicy"),
    "unknown field": ({"workerz": {}}, "workerz"),
    "unknown field within": ({"workers": {"pod": {"securityContext": {}}}}, "spec.workers.pod.securityContext"),
    "both databases": (
        {"postgres": {"managed": {}, "external": {"secretRef": {"name": "x"}}}},
        "spec.postgres takes either managed or external",
    ),
    "both queues": (
        {"redis": {"managed": {}, "external": {"secretRef": {"name": "x"}}}},
        "spec.redis takes either managed or external",
    ),
    "both stores": ({"objects": {"managed": {}, **EXTERNAL["objects"]}}, "spec.objects takes either"),
    "no secret named": ({"postgres": {"external": {}}}, "spec.postgres.external.secretRef"),
    "no scheme": (
        {"objects": {"external": {"endpoint": "s3.example.com", "bucket": "abc", "secretRef": {"name": "x"}}}},
        "spec.objects.external.endpoint",
    ),
    "no models": ({"models": []}, "spec.models"),
    "two models of one name": ({"models": [{"name": "base"}, {"name": "base"}]}, ".spec.models: duplicate"),
    "default is no model": ({"defaultModel": "small"}, "spec.defaultModel must be"),
    "alias is a model": (
        {"models": [{"name": "base", "aliases": ["small"]}, {"name": "small"}]},
        "spec.models[].aliases must not repeat",
    ),
    "alias twice": (
        {"models": [{"name": "base", "aliases": ["a"]}, {"name": "small", "aliases": ["a"]}]},
        "spec.models[].aliases must not give",
    ),
    "two sources": (
        {"models": [{"name": "own", "source": {"path": "/m", "s3": {"uri": "s3://models/own"}}}]},
        "spec.models[].source takes exactly one",
    ),
    "no source": ({"models": [{"name": "own", "source": {}}]}, "spec.models[].source takes exactly one"),
    "path upwards": ({"models": [{"name": "own", "source": {"path": "/m/../etc"}}]}, "spec.models[].source.path"),
    "no bucket": ({"models": [{"name": "own", "source": {"s3": {"uri": "http://x"}}}]}, "source.s3.uri"),
    "short digest": ({"models": [{"name": "base", "digest": "sha256:1234"}]}, "spec.models[0].digest"),
    "two engines": (
        {"models": [{"name": "base"}, {"name": "small", "engine": "openai-whisper"}]},
        "spec.models[].engine must be the same",
    ),
    "float16 without GPU": ({"models": [{"name": "base", "computeType": "float16"}]}, "float16 needs GPUs"),
    "GPU on CPU profile": ({"workers": {"resourceProfile": "cpu", "gpu": {"count": 1}}}, "spec.workers.gpu needs"),
    "no GPU": ({"workers": {"gpu": {"count": 0}}}, "spec.workers.gpu.count"),
    "not a setting": ({"postgres": {"managed": {"parameters": {"Max Conn": "1"}}}}, "spec.postgres.managed.parameters"),
    "our setting": ({"postgres": {"managed": {"parameters": {"port": "1"}}}}, "cannot set listen_addresses, port"),
    "line break": ({"postgres": {"managed": {"parameters": {"a": "1'\nb = '2"}}}}, "spec.postgres.managed.parameters"),
    "our label": (POD(labels={"app.kubernetes.io/name": "x"}), "belong to the operator"),
    "bad label": (POD(labels={"a": "b c"}), "spec.api.pod.labels"),
    "variable twice": (
        POD(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        ".spec.api.pod.env: duplicate",
    ),
    "bad quantity": (POD(resources={"limits": {"memory": "1GB"}}), "spec.api.pod.resources.limits.memory"),
    "spaces in image": (POD(image="a b"), "spec.api.pod.image"),
}
BAD_JOBS: dict[str, tuple[Any, str]] = {
    "no source": ({**JOB, "source": {}}, "spec.source takes exactly one"),
    "two sources": (
        {**JOB, "source": {**JOB["source"], "http": {"url": "http://a/b"}}},
        "spec.source takes exactly one",
    ),
    "no transcriber": ({"source": JOB["source"]}, "spec.transcriberRef"),
    "no web address": ({**JOB, "source": {"http": {"url": "file:///etc/passwd"}}}, "spec.source.http.url"),
    "unknown format": ({**JOB, "formats": ["docx"]}, "spec.formats[0]"),
    "format twice": ({**JOB, "formats": ["srt", "srt"]}, ".spec.formats: duplicate"),
    "language in words": ({**JOB, "language": "English"}, "spec.language"),
    "unknown task": ({**JOB, "task": "sing"}, "spec.task"),
    "too urgent": ({**JOB, "priority": 10000}, "spec.priority"),
    "negative lifetime": ({**JOB, "ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
    "unknown field": ({**JOB, "webhook": "http://x"}, "webhook"),
}


@pytest.mark.parametrize(("spec", "says"), BAD_TRANSCRIBERS.values(), ids=BAD_TRANSCRIBERS)
def test_a_wrong_transcriber_is_refused_by_field(api: Api, spec: Any, says: str) -> None:
    assert says in api.refusal(transcriber(spec, "wrong"))


@pytest.mark.parametrize(("spec", "says"), BAD_JOBS.values(), ids=BAD_JOBS)
def test_a_wrong_job_is_refused_by_field(api: Api, spec: Any, says: str) -> None:
    assert says in api.refusal(job(spec, "wrong"))


@pytest.mark.parametrize("name", ["1st", "a" * 41, "with.dot"])
def test_a_name_that_children_cannot_have_is_refused(api: Api, name: str) -> None:
    assert "metadata.name must start with a letter" in api.refusal(transcriber({}, name))


@pytest.mark.parametrize("spec", [None, {}, FULL, EXTERNAL], ids=["absent", "empty", "full", "external"])
def test_a_good_transcriber_is_taken_and_understood(api: Api, spec: Any) -> None:
    live = api.apply(transcriber(spec, "good"))
    parsed = WhisperTranscriber.parse(live)
    assert parsed.spec.workers.replicas == (2 if spec is FULL else 1)
    assert parsed.spec == WhisperTranscriber.parse({**live, "spec": spec or {}}).spec
    api.do("delete", "whispertranscriber", "good")


def test_only_cancel_and_lifetime_of_a_job_can_change(api: Api) -> None:
    live = api.apply(job(JOB, "fixed"))
    assert TranscriptionJob.parse(live).spec.priority == 0
    for change in ({"language": "en"}, {"model": "base"}, {"priority": 1}, {"source": {"http": {"url": "http://a/b"}}}):
        (field,) = change
        assert f"spec.{field} cannot be changed" in api.refusal(job({**JOB, **change}, "fixed"))
    api.apply(job({**JOB, "cancel": True, "ttlSecondsAfterFinished": 60}, "fixed"))
    assert "spec.cancel cannot be taken back" in api.refusal(job({**JOB, "cancel": False}, "fixed"))


@pytest.mark.parametrize("store", ["postgres", "redis", "objects"])
def test_volumes_grow_and_keep_their_class(api: Api, store: str) -> None:
    def sized(**managed: Any) -> dict[str, Any]:
        return transcriber({store: {"managed": managed}} if managed else {}, f"sized-{store}")

    api.apply(sized())
    assert f"spec.{store}.managed.storage cannot shrink" in api.refusal(sized(storage="512Mi"))
    assert f"spec.{store}.managed.storageClassName cannot be changed" in api.refusal(sized(storageClassName="fast"))
    api.apply(sized(storage="100Gi"))
    api.apply(sized(storage="0.1Ti"))
    assert f"spec.{store}.managed.storage cannot shrink" in api.refusal(sized(storage="99Gi"))
    assert f"spec.{store}.managed.storage cannot shrink" in api.refusal(sized())
    api.apply(transcriber({store: EXTERNAL[store]}, f"sized-{store}"))


def test_workers_scale_by_the_subresource(api: Api) -> None:
    api.apply(transcriber({}, "scaled"))
    api.do("scale", "whispertranscriber/scaled", "--replicas=3")
    assert json.loads(api.do("get", "wt", "scaled", "--output=json"))["spec"]["workers"]["replicas"] == 3


def test_columns_answer_the_first_question(api: Api) -> None:
    api.apply(transcriber({}, "shown"))
    api.apply(job(JOB, "shown"))
    assert api.do("get", "wt").split()[:6] == ["NAME", "READY", "WORKERS", "MODEL", "VERSION", "AGE"]
    assert api.do("get", "tj").split()[:6] == ["NAME", "STATUS", "PROGRESS", "AUDIO", "LANGUAGE", "AGE"]
    assert "shown" in api.do("get", "whisper")


def test_every_field_is_explained(api: Api) -> None:
    """kubectl explain reads the published schema: no field in it is without a word."""
    published = json.loads(api.do("get", "--raw", f"/openapi/v3/apis/{API_VERSION}"))["components"]["schemas"]

    def silent(node: dict[str, Any], path: str) -> Iterator[str]:
        for name, child in node.get("properties", {}).items():
            here = f"{path}.{name}"
            if not child.get("description") and name not in ("metadata", "apiVersion", "kind"):
                yield here
            yield from silent(child.get("items", child), here)

    ours = {name: schema for name, schema in published.items() if name.startswith("dev.whisper-operator")}
    assert len(ours) >= 2
    assert [path for name, schema in ours.items() for path in silent(schema, name.rsplit(".", 1)[-1])] == []
    said = api.do("explain", "wt.spec.postgres.managed.storage")
    assert "may grow, never shrink" in said
    assert "8Gi" in said
    assert "seconds" in api.do("explain", "tj.status.audioSeconds")


def everything(namespace: str, spec: Any) -> list[Manifest]:
    """The whole plan of a transcriber whose migration is done."""
    body = {**transcriber(spec), "metadata": {"name": "main", "namespace": namespace, "uid": "1-2-3"}}
    cr = WhisperTranscriber.parse(copy.deepcopy(body))
    name = migrate(cr, SETTINGS)["metadata"]["name"]
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    return desired(cr, Observed(children={("Job", name): done}), SETTINGS)


@pytest.mark.parametrize("spec", [{}, FULL, EXTERNAL], ids=["empty", "full", "external"])
def test_applying_an_unchanged_plan_again_changes_nothing(restricted: Api, spec: Any) -> None:
    plan = everything(restricted.namespace, spec)
    bundle = {"apiVersion": "v1", "kind": "List", "items": plan}

    def versions() -> list[str]:
        return [item["metadata"]["resourceVersion"] for item in restricted.apply(bundle)["items"]]

    first = versions()
    assert len(first) == len(plan)
    assert versions() == first


@pytest.mark.parametrize("spec", [{}, FULL, EXTERNAL], ids=["empty", "full", "external"])
def test_every_pod_is_admitted_where_restricted_is_enforced(restricted: Api, spec: Any) -> None:
    plan = everything(restricted.namespace, spec)
    restricted.apply({"apiVersion": "v1", "kind": "List", "items": [m for m in plan if m["kind"] == "ServiceAccount"]})
    templates = [m["spec"]["template"] for m in plan if "template" in m.get("spec", {})]
    assert len(templates) == (3 if spec is EXTERNAL else 6)
    for index, template in enumerate(templates):
        pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
        pod["metadata"]["name"] = f"pod-{index}"
        # These name objects of the cluster that only a node pool with GPUs has.
        pod["spec"].pop("runtimeClassName", None)
        data = [m for m in pod["spec"]["containers"][0].get("volumeMounts", ()) if m["name"] == "data"]
        pod["spec"]["volumes"] += [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}] if data else []
        restricted.do("create", "--dry-run=server", "--validate=strict", "--filename=-", manifest=pod)
