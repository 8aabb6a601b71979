"""`spec.tracing`: the variables of API and workers, the way out to the collector, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from policies import End, allowed
from unit.operator_plan.plans import by_name, transcriber, whole
from unit.operator_plan.test_network import ENDS, SPACE, may, pod, policies
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.errors import InvalidSpec
from whisper_operator.judge.references import missing, references
from whisper_operator.plan import Manifest
from whisper_transcriber.tracing import wanted

SERVICE = "http://collector.elsewhere.svc:4318"


def traced(endpoint: str = SERVICE, **more: Any) -> dict[str, Any]:
    return {"tracing": {"endpoint": endpoint, **more}}


def variables(spec: dict[str, Any], deployment: str) -> dict[str, Manifest]:
    made = by_name(whole(transcriber(**spec)))["Deployment", deployment]
    return {each["name"]: each for each in made["spec"]["template"]["spec"]["containers"][0]["env"]}


def plain(spec: dict[str, Any], deployment: str) -> dict[str, str]:
    return {name: each["value"] for name, each in variables(spec, deployment).items() if "value" in each}


@pytest.mark.parametrize(("deployment", "service"), [("main-api", "main-api"), ("main-worker-blue", "main-worker")])
def test_api_and_workers_are_told_by_the_standards_variables(deployment: str, service: str) -> None:
    found = plain(traced(samplingRatio=0.25), deployment)
    assert wanted(found), "the transcriber itself reads them so"
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == SERVICE
    assert found["OTEL_SERVICE_NAME"] == service
    assert (found["OTEL_TRACES_SAMPLER"], found["OTEL_TRACES_SAMPLER_ARG"]) == ("parentbased_traceidratio", "0.25")
    about = dict(pair.split("=") for pair in found["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    assert about == {
        "k8s.namespace.name": "speech",
        "k8s.pod.name": "$(POD_NAME)",
        "service.namespace": "speech",
    }
    names = list(variables(traced(), deployment))
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES"), "a kubelet knows only what came before"


def test_without_it_nothing_of_it_is_there() -> None:
    for kind, name in (("Deployment", "main-api"), ("Deployment", "main-worker-blue")):
        assert "OTEL_" not in str(by_name(whole(transcriber()))[kind, name])
    assert not wanted(plain({}, "main-api"))


def test_the_migration_is_not_traced_and_its_name_stays() -> None:
    jobs = [[m for m in whole(transcriber(**spec)) if m["kind"] == "Job"] for spec in ({}, traced())]
    assert jobs[0] == jobs[1]


def test_headers_come_from_the_secret_and_are_missed_by_name() -> None:
    spec = traced(headersSecretRef={"name": "collector"})
    for deployment in ("main-api", "main-worker-blue"):
        found = variables(spec, deployment)["OTEL_EXPORTER_OTLP_HEADERS"]
        assert found["valueFrom"] == {"secretKeyRef": {"name": "collector", "key": "headers"}}
    (reference,) = [each for each in references(transcriber(**spec).spec) if each.name == "collector"]
    verdict = missing(reference, "speech", None)
    assert verdict is not None and verdict.reason == "SecretNotFound"
    assert "spec.tracing.headersSecretRef" in verdict.message


def test_the_users_own_variable_goes_before_ours() -> None:
    env = [{"name": "OTEL_TRACES_SAMPLER", "value": "always_off"}]
    assert plain({**traced(), "api": {"pod": {"env": env}}}, "main-api")["OTEL_TRACES_SAMPLER"] == "always_off"


@pytest.mark.parametrize("source", ["api", "worker"])
def test_the_way_is_open_to_the_collector_alone(source: str) -> None:
    made = policies(traced())
    collector = pod("10.244.0.70", "elsewhere", app="collector")
    assert allowed(made, ENDS[source], collector, 4318)
    assert not may(made, source, "stranger", 4318)
    assert not may(made, source, "private", 4318)
    assert not may(made, "migrate", "guest", 4318)
    made = policies(traced("http://10.1.2.3:4318"))
    assert may(made, source, "database", 4318)
    assert not may(made, source, "database", 4317)
    assert not may(made, source, "private", 4318)


def test_any_other_name_has_to_be_public() -> None:
    made = policies(traced("https://otlp.example.com/otlp"))
    assert may(made, "api", "public", 443)
    assert may(made, "api", "public6", 443)
    assert not may(made, "api", "public", 80)
    assert not may(made, "api", "private", 443)
    assert not allowed(made, ENDS["api"], End("169.254.169.254"), 443)
    assert not may(policies({}), "api", "public", 443)
    for public in ({"enabled": False}, {"except": ["0.0.0.0/0", "2000::/3", "64:ff9b::/96"]}):
        closed = policies({**traced("https://otlp.example.com"), "networkPolicy": {"egress": {"public": public}}})
        assert not may(closed, "api", "public", 443)


def test_the_user_knows_best_where_it_is() -> None:
    collector = {"to": [{"namespaceSelector": {"matchLabels": {SPACE: "elsewhere"}}}], "ports": [14318]}
    made = policies({**traced("https://otlp.example.com"), "networkPolicy": {"egress": {"tracing": collector}}})
    for source in ("api", "worker"):
        assert may(made, source, "guest", 14318)
        assert not may(made, source, "guest", 4318)
    assert not may(made, "api", "public", 443)


def test_a_way_to_no_collector_is_refused() -> None:
    metadata = {"name": "main", "namespace": "speech"}
    with pytest.raises(InvalidSpec, match=r"networkPolicy\.egress\.tracing is for a collector"):
        spec: dict[str, Any] = {"networkPolicy": {"egress": {"tracing": {}}}}
        WhisperTranscriber.parse({"metadata": metadata, "spec": spec})
