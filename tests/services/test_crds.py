"""The CRDs and the plan against a real API server: what it takes, what it refuses and in which words."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.kubectl import Api
from services.resources import EXTERNAL, FULL, JOB, job, transcriber
from whisper_operator.api.names import API_VERSION
from whisper_operator.api.v1alpha1 import TranscriptionJob, WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate

ROOT = Path(__file__).parents[2]
SETTINGS = PlanSettings()


@pytest.fixture(scope="session")
def api(control_plane: Path) -> Api:
    """A namespace of an API server with our CRDs, taken from the files that we ship."""
    server = Api(control_plane)
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        server.do("apply", "--server-side", "--force-conflicts", f"--filename={crd}")
    server.do("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    mine = Api(control_plane, f"crds-{uuid.uuid4().hex[:12]}")
    server.do("create", "namespace", mine.namespace)
    return mine


@pytest.fixture
def restricted(api: Api) -> Iterator[Api]:
    """A namespace of its own in which Pod Security `restricted` is enforced."""
    name = f"plan-{uuid.uuid4().hex[:12]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Api(api.kubeconfig, name)
    api.do("delete", "namespace", name, "--wait=false")


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
    for change in (
        {"language": "en"},
        {"keywords": ["Digium"]},
        {"vad": {"threshold": 0.5}},
        {"channels": "speakers"},
        {"model": "base"},
        {"priority": 1},
        {"source": {"http": {"url": "http://a/b"}}},
        {"webhook": {"url": "http://a/b"}},
        {"output": {"s3": {"url": "s3://texts/2026/"}}},
    ):
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
    assert api.do("get", "wt").split()[:7] == ["NAME", "READY", "WORKERS", "QUEUE", "MODEL", "VERSION", "AGE"]
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

    versions()
    # Of a new claim the API server tidies up who owns which field when it is applied for the second time.
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
