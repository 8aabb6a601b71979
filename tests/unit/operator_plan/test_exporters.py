"""Exporters: beside the server, by an account of their own, verifying it, and seen by those who may scrape."""

from __future__ import annotations

from typing import Any

import pytest

from policies import End, allowed
from unit.operator_plan.plans import breaches as against_restricted
from unit.operator_plan.plans import by_name, counting, migrated, transcriber, whole
from whisper_operator.api import names
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired

ON: dict[str, Any] = {"monitoring": {"exporters": {"enabled": True}}}
EXTERNAL = {"external": {"secretRef": {"name": "mine"}}}
SERVERS = {"postgres": 9187, "redis": 9121}


def pod(server: str, **spec: Any) -> Manifest:
    made: Manifest = by_name(whole(transcriber(**{**ON, **spec})))["StatefulSet", f"main-{server}"]["spec"]["template"]
    return made


def variables(container: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("server", SERVERS)
def test_it_runs_beside_the_server_and_verifies_it(server: str) -> None:
    made = pod(server)
    main, beside = made["spec"]["containers"]
    assert (main["name"], beside["name"], beside["image"]) == (server, "exporter", main["image"])
    assert beside["ports"] == [{"name": "metrics", "containerPort": SERVERS[server], "protocol": "TCP"}]
    assert against_restricted(made) == []
    # By its own name, which leads to the pod itself: the certificate is verified, and no policy is in the way.
    assert made["spec"]["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": [f"main-{server}"]}]
    env = variables(beside)
    if server == "postgres":
        where = "main-postgres:5432/whisper?sslmode=verify-full&sslrootcert=/run/trust/ca.crt"
        assert (env["DATA_SOURCE_URI"], env["DATA_SOURCE_USER"]) == (where, "metrics")
    else:
        assert env["REDIS_ADDR"] == "rediss://main-redis:6379"
        assert env["REDIS_EXPORTER_TLS_CA_CERT_FILE"] == "/run/trust/ca.crt"
    mounts = {mount["mountPath"] for mount in beside["volumeMounts"]}
    assert mounts == {"/run/secrets/metrics", "/run/trust"}, "neither the data nor the server's own password"
    volumes = [volume["name"] for volume in made["spec"]["volumes"]]
    assert len(volumes) == len(set(volumes))


@pytest.mark.parametrize("server", SERVERS)
def test_the_passwords_are_files_of_a_secret_of_its_own(server: str) -> None:
    plan = by_name(whole(transcriber(**ON)))
    secret = plan["Secret", "main-metrics"]
    assert set(secret["data"]) == {"postgres-password", "redis-password"}
    assert len(set(secret["data"].values())) == 2
    template = plan["StatefulSet", f"main-{server}"]["spec"]["template"]
    for container in template["spec"]["containers"]:
        files = [value for name, value in variables(container).items() if "METRICS" in name or "PASS" in name]
        assert f"/run/secrets/metrics/{server}-password" in files
    assert names.SECRETS_CHECKSUM in template["metadata"]["annotations"]


def test_without_tls_nothing_is_verified() -> None:
    spec = {"tls": {"enabled": False}}
    assert "sslmode=disable" in variables(pod("postgres", **spec)["spec"]["containers"][1])["DATA_SOURCE_URI"]
    env = variables(pod("redis", **spec)["spec"]["containers"][1])
    assert env["REDIS_ADDR"] == "redis://main-redis:6379"
    assert "REDIS_EXPORTER_TLS_CA_CERT_FILE" not in env


@pytest.mark.parametrize("spec", [{}, {**ON, "postgres": EXTERNAL, "redis": EXTERNAL}], ids=["default", "external"])
def test_nothing_of_it_is_there_unless_it_is_wanted(spec: dict[str, Any]) -> None:
    plan = by_name(whole(transcriber(**spec)))
    assert ("Secret", "main-metrics") not in plan
    for (kind, _), manifest in plan.items():
        if kind == "StatefulSet":
            assert len(manifest["spec"]["template"]["spec"]["containers"]) == 1
            assert "hostAliases" not in manifest["spec"]["template"]["spec"]


def test_resources_are_the_users() -> None:
    given = {"exporters": {"enabled": True, "resources": {"limits": {"memory": "64Mi"}}}}
    found = pod("redis", monitoring=given)["spec"]["containers"][1]["resources"]
    assert found == {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "64Mi"}}


def watched(served: bool, **spec: Any) -> dict[tuple[str, str], Manifest]:
    cr = transcriber(**{**ON, **spec})
    seen = Observed(children=migrated(cr).children, served=frozenset({"PodMonitor"} if served else ()))
    return by_name(desired(cr, seen, PlanSettings(), counting()))


def test_each_has_a_pod_monitor() -> None:
    plan = watched(True)
    for server in SERVERS:
        spec = plan["PodMonitor", f"main-{server}"]["spec"]
        assert spec["selector"]["matchLabels"][names.LABEL_COMPONENT] == server
        assert [each["port"] for each in spec["podMetricsEndpoints"]] == ["metrics"]
    assert ("PodMonitor", "main-redis") not in watched(True, redis=EXTERNAL)
    assert ("PodMonitor", "main-redis") not in watched(False)


def test_who_may_scrape_reaches_the_metrics_and_not_the_server() -> None:
    def may(plan: dict[tuple[str, str], Manifest], source: End, server: str, port: int) -> bool:
        made = [manifest for (kind, _), manifest in plan.items() if kind == "NetworkPolicy"]
        labels = {names.LABEL_TRANSCRIBER: "main", names.LABEL_COMPONENT: server}
        return allowed(made, source, End("10.244.0.9", "speech", labels), port)

    prometheus = End("10.244.0.33", "monitoring", {"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})
    stranger = End("10.244.0.34", "speech", {"app": "other"}, {"kubernetes.io/metadata.name": "speech"})
    api = End("10.244.0.35", "speech", {names.LABEL_TRANSCRIBER: "main", names.LABEL_COMPONENT: "api"})
    space = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    named = {"networkPolicy": {"ingress": {"metrics": [space]}}}
    for server, port in {"postgres": 5432, "redis": 6379}.items():
        metrics = SERVERS[server]
        assert may(watched(True), prometheus, server, metrics) and may(watched(True), stranger, server, metrics)
        assert not may(watched(False), prometheus, server, metrics), "nobody scrapes: nobody may"
        assert may(watched(False, **named), prometheus, server, metrics)
        assert not may(watched(False, **named), stranger, server, metrics)
        for source in (prometheus, stranger):
            assert not may(watched(True), source, server, port)
        assert may(watched(True), api, server, port)
        off = watched(True, monitoring={"exporters": {"enabled": False}})
        assert not may(off, prometheus, server, metrics)
