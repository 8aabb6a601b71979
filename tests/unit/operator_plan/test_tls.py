"""TLS in pods: what is mounted, what is probed, and that a renewed certificate rolls nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unit.operator_plan.plans import by_name, counting, migrated, transcriber, whole
from whisper_operator.api.names import Component
from whisper_operator.judge import references
from whisper_operator.plan import PlanSettings, desired

SERVERS = ("postgres", "redis", "objects")
EXTERNAL: dict[str, Any] = {
    "postgres": {"external": {"secretRef": {"name": "pg"}, "caSecretRef": {"name": "pg-ca"}}},
    "redis": {"external": {"secretRef": {"name": "redis"}, "caSecretRef": {"name": "corporate", "key": "root.pem"}}},
    "objects": {
        "external": {
            "endpoint": "https://s3.example.com",
            "bucket": "audio",
            "secretRef": {"name": "s3"},
            "caSecretRef": {"name": "corporate", "key": "root.pem"},
        }
    },
}


def pod(spec: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = by_name(whole(transcriber(**spec)))[kind, name]["spec"]["template"]
    return found


def files(template: dict[str, Any], path: str) -> list[Any]:
    """What is projected at a path: (Secret or ConfigMap, key, file)."""
    (name,) = (m["name"] for m in template["spec"]["containers"][0]["volumeMounts"] if m["mountPath"] == path)
    (volume,) = (v for v in template["spec"]["volumes"] if v["name"] == name)
    return [
        (source["name"], item["key"], item["path"])
        for each in volume["projected"]["sources"]
        for source in each.values()
        for item in source["items"]
    ]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_has_its_own_certificate_and_nobody_elses_key(server: str) -> None:
    template = pod({}, "StatefulSet", f"main-{server}")
    secret = f"main-{server}-tls"
    assert files(template, "/run/tls") == [(secret, "tls.crt", "tls.crt"), (secret, "tls.key", "tls.key")]
    assert {"name": f"{server.upper()}_TLS_DIR", "value": "/run/tls"} in template["spec"]["containers"][0]["env"]


@pytest.mark.parametrize("name", ["main-api", "main-worker-blue"])
def test_clients_have_the_authorities_and_no_key(name: str) -> None:
    template = pod({}, "Deployment", name)
    assert files(template, "/run/trust") == [("main-ca", "ca.crt", "ca.crt")]
    assert "/run/tls" not in str(template) and "tls.key" not in str(template)


def test_no_pod_mounts_the_authoritys_key() -> None:
    assert "'secret': {'name': 'main-ca'" not in str(whole(transcriber(tls={"api": {"enabled": True}})))


def test_a_renewed_secret_or_bundle_rolls_no_pod() -> None:
    cr = transcriber()
    seen = replace(migrated(cr), bundle="one")
    renewed = replace(seen, bundle="two", values={"main-postgres-tls": {"tls.crt": "new"}})
    old, new = (by_name(desired(cr, each, PlanSettings(), counting())) for each in (seen, renewed))
    assert old["ConfigMap", "main-ca"] != new["ConfigMap", "main-ca"]
    del old["ConfigMap", "main-ca"], new["ConfigMap", "main-ca"]
    assert old == new


def test_external_stores_bring_their_own_authorities() -> None:
    template = pod(EXTERNAL, "Deployment", "main-api")
    assert files(template, "/run/trust") == [
        ("pg-ca", "ca.crt", "postgres.crt"),
        ("corporate", "root.pem", "redis.crt"),
        ("corporate", "root.pem", "objects.crt"),
    ]
    data = by_name(whole(transcriber(**EXTERNAL)))["ConfigMap", "main-config"]["data"]
    assert data["WHISPER_DATABASE_CA"] == "/run/trust/postgres.crt"
    assert data["WHISPER_REDIS_CA"] == "/run/trust/redis.crt"
    assert data["WHISPER_S3_CA"] == "/run/trust/objects.crt"
    assert "WHISPER_REDIS_TLS" not in data, "the URL says whether"
    needed = {(r.field, r.name, r.keys) for r in references(transcriber(**EXTERNAL).spec)}
    assert ("spec.redis.external.caSecretRef", "corporate", ("root.pem",)) in needed


def test_workers_alone_trust_more_authorities_where_a_url_leads() -> None:
    spec: dict[str, Any] = {"fetch": {"caSecretRef": {"name": "corporate", "key": "root.pem"}}}
    template = pod(spec, "Deployment", "main-worker-blue")
    assert files(template, "/run/fetch-trust") == [("corporate", "root.pem", "ca.crt")]
    (container,) = template["spec"]["containers"]
    assert {"name": "WHISPER_FETCH_CA", "value": "/run/fetch-trust/ca.crt"} in container["env"]
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/run/fetch-trust"]
    assert mount["readOnly"] is True
    assert "fetch-trust" not in str(pod(spec, "Deployment", "main-api"))
    needed = {(r.component, r.field, r.name, r.keys) for r in references(transcriber(**spec).spec)}
    assert (Component.WORKER, "spec.fetch.caSecretRef", "corporate", ("root.pem",)) in needed
    assert "fetch-trust" not in str(whole(transcriber())), "no pod rolls where it is not asked for"
    renewed = replace(migrated(transcriber(**spec)), values={"corporate": {"root.pem": "bmV3"}})
    old, new = (
        by_name(desired(transcriber(**spec), seen, PlanSettings(), counting()))["Deployment", "main-worker-blue"]
        for seen in (migrated(transcriber(**spec)), renewed)
    )
    assert old == new, "workers read what changed without a restart"


def test_the_api_speaks_tls_where_asked() -> None:
    spec: dict[str, Any] = {"tls": {"api": {"enabled": True}}}
    template = pod(spec, "Deployment", "main-api")
    (container,) = template["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    assert files(template, "/run/tls")[0][0] == "main-api-tls"
    assert {"name": "WHISPER_TLS_CERT", "value": "/run/tls/tls.crt"} in container["env"]
    service = by_name(whole(transcriber(**spec)))["Service", "main-api"]
    assert [port["port"] for port in service["spec"]["ports"]] == [443]
    assert "/run/tls" not in str(pod(spec, "Deployment", "main-worker-blue"))


def test_without_tls_there_is_none_of_it() -> None:
    plan = str(whole(transcriber(tls={"enabled": False, "api": {"enabled": True}})))
    for word in ("/run/tls", "/run/trust", "HTTPS", "-tls", "_CA'"):
        assert word not in plan
