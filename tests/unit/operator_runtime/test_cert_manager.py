"""Certificates by cert-manager, which a few lines stand in for: it answers Certificates with Secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.certs import certify
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.cluster.port import CERTIFICATE, ISSUER, Kind

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
REF = {"certManager": {"issuerRef": {"name": "corporate", "kind": "ClusterIssuer"}}}


async def answer(world: Any, *, days: int = 0, without: str = "", named: str = "main") -> None:
    """A Secret for each Certificate, as an issuer with an authority of its own makes them."""
    meta = {"name": named, "namespace": "ns", "uid": "1"}
    made = certify(WhisperTranscriber.parse({"metadata": meta, "spec": {}}), {}, NOON - timedelta(days=days))
    secrets = {m["metadata"]["name"].removeprefix(named): m for m in made.writes}
    for name in world.cluster.names(CERTIFICATE):
        data = {k: v for k, v in secrets[name.removeprefix("main")]["data"].items() if k != without}
        if ("Secret", name) in world.cluster:
            await world.cluster.delete(Kind("v1", "Secret"), "ns", name)
        meta = {"name": name, "namespace": "ns"}
        await world.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


async def use(world: Any, tls: dict[str, Any]) -> None:
    for kind in (CERTIFICATE, ISSUER):
        world.cluster.appear(kind)
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"tls": tls}})
    await world.look()


async def test_nothing_starts_before_cert_manager_has_answered(world: Any) -> None:
    await use(world, REF)
    asked = world.cluster["Certificate", "main-postgres-tls"]
    assert asked["spec"]["issuerRef"] == {"name": "corporate", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    assert "main-postgres.ns.svc" in asked["spec"]["dnsNames"]
    assert asked["spec"]["privateKey"]["rotationPolicy"] == "Always"
    assert ("Secret", "main-ca") not in world.cluster and ("StatefulSet", "main-postgres") not in world.cluster
    said = world.condition("CertificatesReady")
    assert (said["status"], said["reason"]) == ("False", "CertificateNotIssued")
    assert world.condition("DatabaseReady")["reason"] == "CertificateNotIssued"
    assert world.condition("Stalled")["status"] == "False"

    denied = {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "issuer corporate not found"}
    world.cluster.edit(CERTIFICATE, "ns", "main-postgres-tls", {"status": {"conditions": [denied]}})
    await world.look()
    message = world.condition("CertificatesReady")["message"]
    assert "issuer corporate not found" in message and "its issuer, ClusterIssuer corporate." in message

    await answer(world)
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"].count("BEGIN") == 1


async def test_without_an_issuer_one_is_made_over_our_own_authority(world: Any) -> None:
    await use(world, {"certManager": {}})
    assert world.cluster["Issuer", "main-ca"]["spec"] == {"ca": {"secretName": "main-ca"}}
    assert ("Secret", "main-ca") in world.cluster and ("Secret", "main-postgres-tls") not in world.cluster
    assert world.cluster["Certificate", "main-redis-tls"]["spec"]["issuerRef"] == {"name": "main-ca", "kind": "Issuer"}
    await answer(world)
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"].count("BEGIN") == 2


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"days": 90}, "CertificateExpired"),
        ({"named": "other"}, "CertificateNameMismatch"),
        ({"without": "ca.crt"}, "CertificateWithoutAuthority"),
        ({"without": "tls.key"}, "CertificateUnreadable"),
    ],
)
async def test_what_is_wrong_is_said_and_what_runs_goes_on(world: Any, how: dict[str, Any], reason: str) -> None:
    await use(world, REF)
    await answer(world)
    await world.settle()
    before = world.cluster["StatefulSet", "main-postgres"]["spec"]
    await answer(world, **how)
    await world.look()
    said = world.condition("CertificatesReady")
    assert (said["status"], said["reason"]) == ("False", reason)
    assert "main-postgres-tls" in said["message"] and len(said["message"].split(". ")) + said["message"].count(":") > 1
    assert world.condition("Stalled")["status"] == "True"
    assert world.cluster["StatefulSet", "main-postgres"]["spec"] == before
    assert ("Service", "main-api") in world.cluster and ("ConfigMap", "main-config") in world.cluster
    await answer(world)
    await world.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_a_cluster_without_cert_manager_is_told_so(make: Any) -> None:
    from whisper_operator.reconcile import Applied, reconcile
    from whisper_operator.settings import Settings

    cluster = FakeCluster(absent=frozenset({"Certificate", "Issuer"}))
    await cluster.create(make(tls=REF))
    await reconcile(cluster, "ns", "main", Settings(identity="test"), Applied(), NOON)
    conditions = {c["type"]: c for c in cluster["WhisperTranscriber", "main"]["status"]["conditions"]}
    assert conditions["CertificatesReady"]["reason"] == "CertManagerNotFound"
    assert conditions["Stalled"]["status"] == "True"
    assert ("StatefulSet", "main-postgres") not in cluster


async def test_from_cert_manager_back_to_our_own(world: Any) -> None:
    await use(world, REF)
    await answer(world)
    await world.settle()
    theirs = world.cluster["Secret", "main-redis-tls"]["data"]
    await use(world, {"certManager": None})
    await world.settle()
    assert world.cluster.names(CERTIFICATE) == []
    assert world.cluster["Secret", "main-redis-tls"]["data"] == theirs, "it goes on until it is due"
    assert world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"].count("BEGIN") == 2
    assert world.condition("Ready")["status"] == "True"
