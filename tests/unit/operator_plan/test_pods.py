"""What single fields of a resource do to the pods."""

from __future__ import annotations

from typing import Any

import pytest

from whisper_operator.api.names import CONFIG_CHECKSUM
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate
from whisper_operator.plan.quantity import parse


def pod(name: str, plan: PlanSettings | None = None, **spec: Any) -> Manifest:
    """The pod template of the workload of that name."""
    return dict(workload(name, plan, **spec)["spec"]["template"])


def workload(name: str, plan: PlanSettings | None = None, **spec: Any) -> Manifest:
    plan = plan or PlanSettings()
    cr = WhisperTranscriber.parse({"metadata": {"name": "main", "namespace": "speech", "uid": "1"}, "spec": spec})
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    observed = Observed(children={("Job", migrate(cr, plan)["metadata"]["name"]): done})
    (found,) = (
        m for m in desired(cr, observed, plan) if m["metadata"]["name"] == name and "template" in m.get("spec", {})
    )
    return found


def container(name: str, **spec: Any) -> Manifest:
    return dict(pod(name, **spec)["spec"]["containers"][0])


def test_images_come_from_the_nearest_word() -> None:
    def image(plan: PlanSettings | None = None, **spec: Any) -> str:
        return str(pod("main-api", plan, **spec)["spec"]["containers"][0]["image"])

    mirror = PlanSettings(image_registry="mirror.example.com/", version="1.0.0")
    assert image() == "whisper-operator/transcriber-api:0.1.0"
    assert image(mirror) == "mirror.example.com/whisper-operator/transcriber-api:1.0.0"
    assert image(mirror, version="2") == "mirror.example.com/whisper-operator/transcriber-api:2"
    assert image(mirror, images={"registry": "r", "tag": "t"}, version="2") == "r/whisper-operator/transcriber-api:t"
    assert image(mirror, api={"pod": {"image": "a/b:c"}}) == "a/b:c"


def test_the_engine_chooses_the_worker_image() -> None:
    assert container("main-worker-blue")["image"] == "whisper-operator/transcriber-worker:0.1.0"
    torch = container("main-worker-blue", models=[{"name": "base", "engine": "openai-whisper"}])
    assert torch["image"] == "whisper-operator/transcriber-worker-torch:0.1.0"


@pytest.mark.parametrize("workers", [{"gpu": {"count": 2}}, {"resourceProfile": "nvidia"}])
def test_gpus_are_asked_for_and_never_doubled(workers: dict[str, Any]) -> None:
    made = workload("main-worker-blue", workers={**workers, "pod": {"resources": {"limits": {"memory": "20Gi"}}}})
    spec = made["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["limits"] == {
        "nvidia.com/gpu": "2" if "gpu" in workers else "1",
        "memory": "20Gi",
    }
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_a_bad_change_on_cpus_costs_no_worker() -> None:
    made = workload("main-worker-blue")
    assert made["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "tolerations" not in made["spec"]["template"]["spec"]


def test_the_users_variable_goes_before_ours() -> None:
    mine = {"name": "HF_HOME", "value": "/elsewhere"}
    env = container("main-worker-blue", workers={"pod": {"env": [mine]}})["env"]
    assert [v for v in env if v["name"] == "HF_HOME"] == [mine]


def test_our_labels_win() -> None:
    labels = pod("main-api", api={"pod": {"labels": {"team": "speech"}, "annotations": {"a": "b"}}})["metadata"]
    assert labels["labels"]["team"] == "speech"
    assert labels["annotations"]["a"] == "b"
    assert CONFIG_CHECKSUM in labels["annotations"]


def test_a_change_of_configuration_rolls_the_pods_and_a_scale_does_not() -> None:
    def checksum(**spec: Any) -> str:
        return str(pod("main-api", **spec)["metadata"]["annotations"][CONFIG_CHECKSUM])

    assert checksum(models=[{"name": "small"}]) != checksum()
    assert checksum(workers={"replicas": 4}) == checksum()
    postgres = pod("main-postgres", postgres={"managed": {"parameters": {"work_mem": "8MB"}}})
    assert postgres["metadata"]["annotations"][CONFIG_CHECKSUM]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}),
        ({"limits": {"memory": "64Mi"}}, {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}),
        ({"requests": {"memory": "4Gi"}}, {"requests": {"memory": "4Gi"}}),
        ({"requests": {"cpu": 1}}, {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}),
    ],
    ids=["none", "lower limit", "higher request", "number"],
)
def test_what_is_left_of_our_resources_never_contradicts_the_users(given: Any, expected: Any) -> None:
    assert container("main-api", api={"pod": {"resources": given}})["resources"] == expected


def test_passwords_come_as_files_or_references() -> None:
    for name in ("main-postgres", "main-redis", "main-objects"):
        made = pod(name)["spec"]
        assert all("PASSWORD" not in v["name"] or v["name"].endswith("_FILE") for v in made["containers"][0]["env"])
        assert [v["secret"]["secretName"] for v in made["volumes"] if "secret" in v] == [name]
    for variable in container("main-worker-blue")["env"]:
        if variable["name"].endswith(("_URL", "_KEY")):
            assert "secretKeyRef" in variable["valueFrom"]


def test_postgres_settings_are_quoted() -> None:
    cr = WhisperTranscriber.parse(
        {
            "metadata": {"name": "main", "namespace": "speech", "uid": "1"},
            "spec": {"postgres": {"managed": {"parameters": {"b": "it's", "a": "c:\\d"}}}},
        }
    )
    (conf,) = (
        m["data"]
        for m in desired(cr, Observed(), PlanSettings())
        if (m["kind"], m["metadata"]["name"]) == ("ConfigMap", "main-postgres")
    )
    assert conf["50-parameters.conf"] == "a = 'c:\\\\d'\nb = 'it''s'\n"


def test_redis_has_room_to_rewrite_its_log() -> None:
    made = container("main-redis", redis={"managed": {"maxMemory": "1Gi"}})
    memory = next(v["value"] for v in made["env"] if v["name"] == "REDIS_MAXMEMORY")
    assert memory == str(1024**3)
    assert parse(made["resources"]["limits"]["memory"]) > 2 * int(memory)


def test_larger_models_reserve_more_memory() -> None:
    def memory(*models: dict[str, Any]) -> Any:
        return parse(container("main-worker-blue", models=list(models))["resources"]["requests"]["memory"])

    base, large = {"name": "base"}, {"name": "large-v3"}
    assert memory(base) < memory({"name": "small"}) < memory(large) < memory(base, large)
    assert memory({"name": "own", "source": {"huggingFace": {"repo": "me/whisper-large-x"}}}) == memory(large)


def test_a_worker_reserves_memory_for_what_it_has_in_hand_and_for_its_arithmetic() -> None:
    def memory(workers: dict[str, Any] | None = None, **model: Any) -> int:
        made = container("main-worker-blue", models=[{"name": "base", **model}], workers=workers or {})
        request, limit = (made["resources"][kind]["memory"] for kind in ("requests", "limits"))
        assert parse(limit) >= 2 * parse(request)
        return int(parse(request)) // 1024**2

    def claims(count: str) -> dict[str, Any]:
        return {"pod": {"env": [{"name": "WHISPER_CLAIMS", "value": count}]}}

    assert memory() >= 8 * 45 + memory(claims("1")) - 45
    assert memory(claims("32")) == memory() + 24 * 45
    assert memory(claims("all")) == memory()  # the worker itself says what is wrong with it
    assert memory(computeType="float32") > memory() + 200
    assert memory(engine="openai-whisper") == memory(engine="openai-whisper", computeType="float32")
    assert memory({"gpu": {"count": 1}}) < memory(), "the weights are in the GPU's memory"


def test_two_replicas_survive_a_drain() -> None:
    cr = WhisperTranscriber.parse(
        {"metadata": {"name": "main", "namespace": "s", "uid": "1"}, "spec": {"api": {"replicas": 2}}}
    )
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    observed = Observed(children={("Job", migrate(cr, PlanSettings())["metadata"]["name"]): done})
    budgets = [m for m in desired(cr, observed, PlanSettings()) if m["kind"] == "PodDisruptionBudget"]
    assert [b["metadata"]["name"] for b in budgets] == ["main-api"]
    assert budgets[0]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(
    ("small", "large"), [("500m", "1"), ("1", "1k"), ("1000Ki", "1Mi"), ("1M", "1Mi"), ("0.5Gi", "513Mi")]
)
def test_quantities_compare(small: str, large: str) -> None:
    assert parse(small) < parse(large)
    with pytest.raises(ValueError, match="no quantity"):
        parse("1GB")


def test_pull_secrets_are_the_resources_else_the_operators() -> None:
    def secrets(**spec: Any) -> list[str]:
        cr = WhisperTranscriber.parse({"metadata": {"name": "main", "namespace": "s", "uid": "1"}, "spec": spec})
        plan = desired(cr, Observed(), PlanSettings(image_pull_secrets=("general",)))
        (made,) = [m for m in plan if (m["kind"], m["metadata"]["name"]) == ("StatefulSet", "main-redis")]
        return [each["name"] for each in made["spec"]["template"]["spec"].get("imagePullSecrets", [])]

    assert secrets() == ["general"]
    assert secrets(images={"pullSecrets": [{"name": "mine"}]}) == ["mine"]
    beside = {"managed": {"pod": {"imagePullSecrets": [{"name": "other"}, {"name": "general"}]}}}
    assert secrets(redis=beside) == ["general", "other"]
