"""Certificates in a cluster in memory: made before the pods, renewed beneath them, told, and never half done."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from whisper_operator.cluster.port import SECRET, Kind
from whisper_operator.errors import Conflict, Rejected

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
LEAVES = ("main-postgres-tls", "main-redis-tls", "main-objects-tls")
DAYS = timedelta(days=1)


def data(world: Any, name: str) -> dict[str, str]:
    return dict(world.cluster["Secret", name]["data"])


def templates(world: Any) -> dict[str, Any]:
    found = world.cluster._objects.items()
    return {name: copy.deepcopy(o["spec"]["template"]) for (_, _, name), o in found if "template" in o.get("spec", {})}


def events(world: Any, reason: str) -> list[str]:
    found = world.cluster._objects.values()
    return [o["note"] for o in found if o["kind"] == "Event" and o["reason"] == reason]


async def test_certificates_come_before_whatever_needs_them(world: Any) -> None:
    await world.look()
    order = [name for verb, kind, name in world.cluster.writes if kind != "Event"]
    pods = order.index("main-postgres", order.index("main-config"))
    for first in ("main-ca", *LEAVES):
        assert order.index(first) < pods
    assert world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in str(world.cluster["ConfigMap", "main-ca"])
    assert world.condition("CertificatesReady")["status"] == "True"


async def test_a_renewal_changes_a_secret_and_no_pod_and_is_told(world: Any, noon: Any) -> None:
    await world.settle()
    before, secrets = templates(world), {name: data(world, name) for name in LEAVES}
    world.cluster.writes.clear()
    await world.look(noon + 60 * DAYS)
    assert [write for write in world.cluster.writes if write[1] != "Event"] == [
        *(("amend", "Secret", name) for name in LEAVES),
    ]
    assert templates(world) == before
    for name in LEAVES:
        assert data(world, name)["tls.crt"] != secrets[name]["tls.crt"]
        assert data(world, name)["tls.key"] != secrets[name]["tls.key"]
    assert events(world, "Renewed") == [
        "Renewed Secret main-postgres-tls, Secret main-redis-tls, Secret main-objects-tls"
    ]
    world.cluster.writes.clear()
    await world.look(noon + 60 * DAYS)
    assert world.cluster.writes == []


async def test_the_next_look_is_when_a_certificate_is_due(world: Any, noon: Any) -> None:
    await world.settle()
    assert (await world.look(noon + 1 * DAYS)).again == world.settings.resync
    assert (await world.look(noon + 60 * DAYS - timedelta(seconds=40))).again == pytest.approx(40)


async def test_an_authority_is_known_before_it_signs(world: Any, noon: Any) -> None:
    await world.settle()
    await world.look(noon + 2400 * DAYS)
    before, old = templates(world), world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"]
    await world.look(noon + 2434 * DAYS)
    bundle = world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"]
    assert bundle.count("BEGIN") == 2 and old in bundle
    assert events(world, "Renewed")[-1] == "Renewed Secret main-ca"
    assert templates(world) == before


async def test_another_operators_certificate_is_not_overwritten(world: Any, noon: Any) -> None:
    await world.settle()
    kept = data(world, LEAVES[0])
    world.cluster.rejects["Secret", LEAVES[0]] = Conflict("modified")
    with pytest.raises(Conflict):
        await world.look(noon + 60 * DAYS)
    assert data(world, LEAVES[0]) == kept
    del world.cluster.rejects["Secret", LEAVES[0]]
    await world.look(noon + 60 * DAYS)
    assert data(world, LEAVES[0]) != kept


async def test_a_namesakes_authority_is_adopted(world: Any) -> None:
    """What deletionPolicy Retain left behind, found by a transcriber that seemed new."""
    await world.settle()
    authority, postgres = data(world, "main-ca"), data(world, LEAVES[0])
    body = world.cluster["WhisperTranscriber", "main"]
    body["status"] = {}
    await world.settle()
    assert (data(world, "main-ca"), data(world, LEAVES[0])) == (authority, postgres)


async def test_where_a_secret_is_refused_nothing_is_published(world: Any) -> None:
    world.cluster.rejects["Secret", "main-ca"] = Rejected("Forbidden", "no secrets for you")
    await world.look()
    assert ("ConfigMap", "main-ca") not in world.cluster
    assert ("StatefulSet", "main-postgres") not in world.cluster
    assert world.condition("Ready")["reason"] == "Forbidden"
    assert world.condition("CertificatesReady")["status"] == "False"
    del world.cluster.rejects["Secret", "main-ca"]
    await world.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_a_damaged_authority_stops_nothing_and_is_said(world: Any) -> None:
    await world.settle()
    before, bundle = templates(world), world.cluster["ConfigMap", "main-ca"]["data"]
    world.cluster.edit(SECRET, "ns", "main-ca", {"data": {"tls.key": ""}})
    await world.look()
    said = world.condition("CertificatesReady")
    assert (said["status"], said["reason"]) == ("False", "AuthorityUnreadable")
    assert "main-ca" in said["message"] and world.condition("Stalled")["status"] == "True"
    assert templates(world) == before
    assert world.cluster["ConfigMap", "main-ca"]["data"] == bundle
    await world.cluster.delete(SECRET, "ns", "main-ca")
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert bundle["ca.crt"] in world.cluster["ConfigMap", "main-ca"]["data"]["ca.crt"], "what it signed goes on"


async def test_tls_can_be_turned_off_and_on(world: Any) -> None:
    await world.settle()
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"tls": {"enabled": False}}})
    await world.settle()
    assert ("ConfigMap", "main-ca") not in world.cluster
    assert "/run/t" not in str(templates(world))
    assert world.cluster["ConfigMap", "main-config"]["data"]["WHISPER_REDIS_TLS"] == "false"
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"tls": {"enabled": True}}})
    await world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert "/run/trust" in str(templates(world))


async def test_nothing_is_written_while_it_is_paused(world: Any, noon: Any) -> None:
    await world.settle()
    world.cluster.edit(TRANSCRIBER, "ns", "main", {"spec": {"paused": True}})
    await world.look(noon + 60 * DAYS)
    world.cluster.writes.clear()
    await world.look(noon + 80 * DAYS)
    assert {kind for _, kind, _ in world.cluster.writes} <= {"WhisperTranscriber", "Event"}
