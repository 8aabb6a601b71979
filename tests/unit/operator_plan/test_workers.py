"""Profiles of devices, the model cache, and what people may say about pods."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.operator_plan.plans import PLAN, breaches, migrated, transcriber
from whisper_operator.api import names
from whisper_operator.errors import InvalidSpec
from whisper_operator.plan import Manifest, desired
from whisper_operator.plan.patch import patched
from whisper_operator.plan.worker import starting


def plan(**spec: Any) -> dict[tuple[str, str], Manifest]:
    cr = transcriber(**spec)
    return {(m["kind"], m["metadata"]["name"]): m for m in desired(cr, migrated(cr), PLAN)}


def deployment(**workers: Any) -> Manifest:
    return dict(plan(workers=workers)["Deployment", "main-worker-blue"]["spec"])


def pod(**workers: Any) -> Manifest:
    return dict(deployment(**workers)["template"]["spec"])


@pytest.mark.parametrize(
    ("workers", "device", "count", "taint"),
    [
        ({"resourceProfile": "nvidia"}, "nvidia.com/gpu", "1", "nvidia.com/gpu"),
        ({"gpu": {"count": 2}}, "nvidia.com/gpu", "2", "nvidia.com/gpu"),
        ({"gpu": {"mig": "1g.10gb"}}, "nvidia.com/mig-1g.10gb", "1", "nvidia.com/gpu"),
        ({"resourceProfile": "amd", "gpu": {"count": 4}}, "amd.com/gpu", "4", "amd.com/gpu"),
        ({"resourceProfile": "intel"}, "gpu.intel.com/i915", "1", "gpu.intel.com/i915"),
    ],
)
def test_a_profile_asks_for_its_device(workers: dict[str, Any], device: str, count: str, taint: str) -> None:
    spec = pod(**workers)
    (container,) = spec["containers"]
    assert container["resources"]["limits"][device] == count
    assert spec["tolerations"] == [{"key": taint, "operator": "Exists", "effect": "NoSchedule"}]
    shared = next(m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/dev/shm")
    (volume,) = [v for v in spec["volumes"] if v["name"] == shared]
    assert volume["emptyDir"]["medium"] == "Memory"
    assert deployment(**workers)["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_on_cpus_there_is_nothing_of_it_and_the_users_toleration_is_kept() -> None:
    assert "tolerations" not in pod()
    assert "/dev/shm" not in [m["mountPath"] for m in pod()["containers"][0]["volumeMounts"]]
    own = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "a", "effect": "NoExecute"}
    assert pod(gpu={"count": 1}, pod={"tolerations": [own]})["tolerations"] == [own]


@pytest.mark.parametrize(
    "workers", [{"resourceProfile": "nvidia-mig"}, {"resourceProfile": "amd", "gpu": {"mig": "1g.5gb"}}]
)
def test_slices_and_their_profile_need_each_other(workers: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="need each other"):
        transcriber(workers=workers)


def test_larger_models_may_take_longer_to_start() -> None:
    assert starting("768Mi") < starting("1536Mi") < starting("5Gi") <= 3600
    large = plan(models=[{"name": "large-v3"}])["Deployment", "main-worker-blue"]["spec"]
    probe = large["template"]["spec"]["containers"][0]["startupProbe"]
    budget = probe["periodSeconds"] * probe["failureThreshold"]
    assert 1800 <= budget < large["progressDeadlineSeconds"]


def test_the_model_cache_outlives_pods_and_can_be_written() -> None:
    made = plan(workers={"modelCache": {"size": "5Gi", "storageClassName": "fast"}})
    claim = made["PersistentVolumeClaim", "main-models"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    assert "ownerReferences" not in claim["metadata"]
    owned = plan(workers={"modelCache": {}}, deletionPolicy="Delete")["PersistentVolumeClaim", "main-models"]
    assert owned["metadata"]["ownerReferences"]
    spec = made["Deployment", "main-worker-blue"]["spec"]
    (volume,) = [v for v in spec["template"]["spec"]["volumes"] if "persistentVolumeClaim" in v]
    (mount,) = [m for m in spec["template"]["spec"]["containers"][0]["volumeMounts"] if m["name"] == volume["name"]]
    assert mount == {"name": volume["name"], "mountPath": "/var/cache/whisper"}
    assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 0, "the new pod could not have the volume yet"
    shared = deployment(replicas=3, modelCache={"accessMode": "ReadWriteMany"})
    assert shared["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_workers_that_share_a_volume_of_one_node_stay_there() -> None:
    near = pod(replicas=2, modelCache={"oneNode": True})["affinity"]["podAffinity"]
    (term,) = near["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"] == names.selector("main", names.Component.WORKER)
    nodes = {"nodeAffinity": {"x": "y"}}
    assert set(pod(modelCache={"oneNode": True}, pod={"affinity": nodes})["affinity"]) == {
        "nodeAffinity",
        "podAffinity",
    }


def test_the_users_model_volume_stays_read_only() -> None:
    made = plan(models=[{"name": "own", "source": {"pvc": {"claimName": "models"}}}], workers={"modelCache": {}})
    mounts = made["Deployment", "main-worker-blue"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {m["mountPath"]: m.get("readOnly", False) for m in mounts if "whisper" in m["mountPath"]} == {
        "/var/cache/whisper": False,
        "/var/lib/whisper/models/models": True,
    }


def test_a_spread_is_about_the_components_pods_unless_it_says_otherwise() -> None:
    zone = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    (found,) = pod(pod={"topologySpreadConstraints": [zone]})["topologySpreadConstraints"]
    assert found == {"labelSelector": {"matchLabels": names.selector("main", names.Component.WORKER)}, **zone}
    assert (
        "topologySpreadConstraints" not in pod(pod={"topologySpreadConstraints": []})
        or not pod(pod={"topologySpreadConstraints": []})["topologySpreadConstraints"]
    )


def test_a_patch_is_merged_by_names_and_the_operators_labels_stay() -> None:
    patch = {
        "metadata": {"labels": {"team": "x", names.LABEL_TRANSCRIBER: "stolen"}, "annotations": {"a": "b"}},
        "spec": {
            "dnsPolicy": "None",
            "containers": [
                {"name": "worker", "env": [{"name": "HF_HOME", "value": "/x"}, {"name": "NEW", "value": "1"}]},
                {"name": "sidecar", "image": "side:1"},
            ],
        },
    }
    template = deployment(pod={"patch": patch})["template"]
    assert (
        template["metadata"]["labels"] | {"team": "x", names.LABEL_TRANSCRIBER: "main"}
        == template["metadata"]["labels"]
    )
    worker, sidecar = template["spec"]["containers"]
    assert sidecar == {"name": "sidecar", "image": "side:1"}
    env = {v["name"]: v for v in worker["env"]}
    assert env["HF_HOME"]["value"] == "/x" and env["NEW"]["value"] == "1" and names.Env.DATABASE_URL in env
    assert worker["securityContext"]["readOnlyRootFilesystem"] is True
    assert template["spec"]["dnsPolicy"] == "None"
    with pytest.raises(InvalidSpec, match="list of objects"):
        transcriber(workers={"pod": {"patch": {"spec": {"containers": {}}}}})


def test_a_patch_removes_and_replaces_where_it_says_so() -> None:
    base: Manifest = {
        "spec": {"a": 1, "volumes": [{"name": "x", "emptyDir": {}}, {"name": "y"}], "args": [1, 2], "m": {"k": 1}}
    }
    patch: Manifest = {"spec": {"a": None, "volumes": [{"name": "x", "$patch": "delete"}], "args": [3]}}
    patch["spec"]["m"] = {"$patch": "replace", "n": 2}
    assert patched(base, patch) == {"spec": {"volumes": [{"name": "y"}], "args": [3], "m": {"n": 2}}}
    assert base["spec"]["volumes"][0] == {"name": "x", "emptyDir": {}}, "the base is left as it was"


scalars = st.none() | st.integers() | st.text(max_size=3)
maps = st.recursive(
    scalars, lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3), max_leaves=8
).filter(lambda value: isinstance(value, dict))


@given(base=maps, patch=maps)
def test_a_patch_twice_is_a_patch_once(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = patched(base, patch)
    assert patched(once, patch) == once
    assert patched(base, {}) == base


def test_every_kind_of_pod_takes_every_option() -> None:
    given = {
        "priorityClassName": "high",
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "patch": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x"]}]}},
        "nodeSelector": {"a": "b"},
    }
    managed = {"managed": {"pod": given}}
    made = plan(workers={"pod": given}, api={"pod": given}, postgres=managed, redis=managed, objects=managed)
    templates = [m["spec"]["template"] for m in made.values() if m["kind"] in ("Deployment", "StatefulSet")]
    assert len(templates) == 5
    for template in templates:
        spec = template["spec"]
        assert spec["priorityClassName"] == "high" and spec["nodeSelector"] == {"a": "b"}
        assert spec["topologySpreadConstraints"][0]["topologyKey"] == "zone"
        assert spec["hostAliases"] and breaches(template) == []
