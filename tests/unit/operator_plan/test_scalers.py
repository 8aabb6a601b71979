"""What scales, exposes and watches a transcriber from outside the operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unit.operator_plan.plans import PLAN, migrated, transcriber
from whisper_operator.plan import Manifest, desired

EVERYTHING = frozenset({"ServiceMonitor", "PodMonitor", "ScaledObject", "TriggerAuthentication"})
Key = tuple[str, str]


def plan(
    served: frozenset[str] = EVERYTHING, live: dict[Key, Manifest] | None = None, **spec: Any
) -> dict[Key, Manifest]:
    cr = transcriber(**spec)
    observed = migrated(cr)
    seen = replace(observed, served=served, children={**observed.children, **(live or {})})
    return {(m["kind"], m["metadata"]["name"]): m for m in desired(cr, seen, PLAN)}


def auto(**of: Any) -> dict[str, Any]:
    return {"autoscaling": {"max": 4, **of}}


def test_keda_asks_the_transcriber_and_scales_the_resource() -> None:
    made = plan(workers=auto(provider="keda", min=0, targetWaitSeconds=30))
    spec = made["ScaledObject", "main-worker"]["spec"]
    assert spec["scaleTargetRef"] == {
        "apiVersion": "whisper-operator.dev/v1alpha1",
        "kind": "WhisperTranscriber",
        "name": "main",
    }
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 4)
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["url"] == "http://main-api.speech.svc/internal/demand?target_wait_seconds=30"
    assert (trigger["metadata"]["valueLocation"], trigger["metadata"]["targetValue"]) == ("workers", "1")
    assert spec["fallback"]["replicas"] == 1, "what cannot be read is not zero"
    (secret,) = made["TriggerAuthentication", "main-worker"]["spec"]["secretTargetRef"]
    assert (secret["parameter"], secret["name"]) == ("token", "main-api-key")
    open_ = plan(workers=auto(provider="keda"), api={"auth": {"enabled": False}})
    assert ("TriggerAuthentication", "main-worker") not in open_
    assert "authenticationRef" not in open_["ScaledObject", "main-worker"]["spec"]["triggers"][0]


def test_keda_verifies_an_api_that_speaks_tls() -> None:
    made = plan(workers=auto(provider="keda"), tls={"api": {"enabled": True}})
    (trigger,) = made["ScaledObject", "main-worker"]["spec"]["triggers"]
    assert trigger["metadata"]["url"].startswith("https://main-api.speech.svc/internal/demand?")
    assert trigger["metadata"]["authMode"] == "bearer,tls"
    assert "unsafeSsl" not in trigger["metadata"]
    found = made["TriggerAuthentication", "main-worker"]["spec"]["secretTargetRef"]
    assert [(one["parameter"], one["name"]) for one in found] == [
        ("token", "main-api-key"),
        *((parameter, "main-api-tls") for parameter in ("ca", "cert", "key")),
    ]


def test_without_kedas_crds_there_is_nothing_of_it_and_the_spec_counts() -> None:
    made = plan(frozenset(), workers={"replicas": 3, **auto(provider="keda")})
    assert not [key for key in made if key[0] in EVERYTHING]
    assert made["Deployment", "main-worker-blue"]["spec"]["replicas"] == 3


def test_a_pod_autoscaler_scales_the_resource_by_cpu_or_by_what_is_said() -> None:
    spec = plan(workers=auto(provider="hpa"))["HorizontalPodAutoscaler", "main-worker"]["spec"]
    assert spec["scaleTargetRef"]["kind"] == "WhisperTranscriber"
    assert spec["metrics"][0]["resource"]["name"] == "cpu"
    own = [{"type": "External", "external": {"metric": {"name": "x"}, "target": {"type": "Value", "value": "1"}}}]
    assert (
        plan(workers=auto(provider="hpa", metrics=own))["HorizontalPodAutoscaler", "main-worker"]["spec"]["metrics"]
        == own
    )
    assert not [key for key in plan(workers=auto()) if key[0] in ("HorizontalPodAutoscaler", "ScaledObject")]


def test_the_number_of_api_pods_is_left_to_their_autoscaler() -> None:
    def replicas(there: int | None, **api: Any) -> int:
        live = {} if there is None else {("Deployment", "main-api"): {"spec": {"replicas": there}}}
        return int(plan(live=live, api=api)["Deployment", "main-api"]["spec"]["replicas"])

    scaled = {"autoscaling": {"min": 2, "max": 6}}
    assert replicas(None, **scaled) == 2
    assert replicas(5, **scaled) == 5
    assert replicas(9, **scaled) == 6
    assert replicas(5) == 1
    made = plan(api=scaled)
    assert made["HorizontalPodAutoscaler", "main-api"]["spec"]["scaleTargetRef"]["name"] == "main-api"
    assert ("PodDisruptionBudget", "main-api") in made


def test_the_ingress_lets_the_api_in_and_nothing_else() -> None:
    given = {"host": "speech.example.com", "className": "nginx", "tls": {"secretName": "t"}, "annotations": {"a": "b"}}
    made = plan(api={"ingress": given})["Ingress", "main-api"]
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert made["spec"]["ingressClassName"] == "nginx"
    assert made["spec"]["tls"] == [{"hosts": ["speech.example.com"], "secretName": "t"}]
    ((path,),) = [rule["http"]["paths"] for rule in made["spec"]["rules"]]
    assert path["path"] == "/v1" and path["backend"]["service"] == {"name": "main-api", "port": {"name": "http"}}
    assert ("Ingress", "main-api") not in plan()


def test_monitors_are_made_where_their_crds_are() -> None:
    made = plan(monitoring={"labels": {"release": "p", "app.kubernetes.io/name": "x"}, "intervalSeconds": 15})
    service, pods = made["ServiceMonitor", "main-api"], made["PodMonitor", "main-worker"]
    labels = made["Service", "main-api"]["metadata"]["labels"]
    assert service["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["metadata"]["labels"]["release"] == "p"
    assert service["metadata"]["labels"]["app.kubernetes.io/name"] == "whisper-transcriber", "ours win"
    assert service["spec"]["endpoints"][0]["interval"] == "15s"
    template = made["Deployment", "main-worker-blue"]["spec"]["template"]
    assert pods["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
    assert pods["spec"]["podMetricsEndpoints"][0]["port"] in ports
    assert not [key for key in plan(monitoring={"enabled": False}) if key[0].endswith("Monitor")]
    assert not [key for key in plan(frozenset({"ServiceMonitor"})) if key[0] == "PodMonitor"]
