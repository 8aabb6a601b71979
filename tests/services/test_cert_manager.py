"""Certificates by a real cert-manager: asked for, waited for, taken, renewed, and a change of its authority noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import testbed
from services.cert_manager import Issued, cert_manager
from services.kubectl import Api
from services.operator_process import TRANSCRIBER, condition, connected, exists, operator, resource, until, until_ready
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import CERTIFICATE, CONFIG_MAP, ISSUER, SECRET, STATEFUL_SET, Manifest

EXAMPLE = Path(__file__).parents[2] / "examples" / "tls-cert-manager.yaml"
SERVERS = ("postgres", "redis", "objects", "api")


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An API server of this file's own: other tests want one that has no cert-manager."""
    with testbed.light_control_plane() as kubeconfig, cert_manager(Api(kubeconfig), tmp_path_factory.mktemp("cm")):
        yield kubeconfig


@pytest.fixture
async def cluster(control_plane: Path) -> AsyncIterator[LiveCluster]:
    """The API server with our CRDs too."""
    async with connected(control_plane) as live:
        yield live


async def issued(cluster: LiveCluster, secret: str) -> Issued:
    """What is in a Secret."""
    found = await cluster.get(SECRET, "default", secret)
    assert found is not None, secret
    return Issued(found)


async def bundle(cluster: LiveCluster, name: str) -> str:
    """The authorities that a transcriber's clients trust."""
    found = await cluster.get(CONFIG_MAP, "default", f"{name}-ca")
    return str(found["data"]["ca.crt"]) if found else ""


async def renew(cluster: LiveCluster, name: str) -> Issued:
    """What `cmctl renew` does; the new certificate once it is there."""
    before = await issued(cluster, name)
    live = await cluster.get(CERTIFICATE, "default", name)
    assert live is not None
    revision = live["status"]["revision"]
    asked = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "asked for by a test"}
    when = {"lastTransitionTime": "2026-05-01T12:00:00Z", "observedGeneration": live["metadata"]["generation"]}
    meta = {"name": name, "namespace": "default"}
    head = {"apiVersion": CERTIFICATE.api_version, "kind": CERTIFICATE.name, "metadata": meta}
    await cluster.apply_status({**head, "status": {"conditions": [{**asked, **when}]}})
    await until(
        cluster, CERTIFICATE, "default", name, lambda found: bool(found and found["status"]["revision"] > revision), 30
    )
    after = await issued(cluster, name)
    assert after.certificate.serial_number != before.certificate.serial_number
    assert after.certificate.public_key() != before.certificate.public_key(), "a renewal has a key of its own"
    return after


def said(transcriber: Manifest | None) -> tuple[str, str]:
    """Status and reason of the condition that tells of certificates."""
    found = condition(transcriber, "CertificatesReady")
    return found.get("status", ""), found.get("reason", "")


async def test_certificates_of_an_issuer_of_ones_own(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    """The example: nothing starts before its issuer is there and has signed; then all of it does."""
    *authority, transcriber = yaml.safe_load_all(EXAMPLE.read_text())
    api = Api(control_plane)
    async with operator(control_plane, tmp_path, *lease):
        api.apply(transcriber)

        def waits(found: Manifest | None) -> bool:
            told = condition(found, "CertificatesReady")
            return told.get("reason") == "CertificateNotIssued" and "whisper-authority" in told["message"]

        await until(cluster, TRANSCRIBER, "default", "certified", waits, 30)
        assert await cluster.get(STATEFUL_SET, "default", "certified-postgres") is None
        for manifest in authority:
            api.apply(manifest)
        await until_ready(cluster, "default", "certified", 60)
        found = await cluster.get(TRANSCRIBER, "default", "certified")
        assert said(found)[0] == "True"
        trusted = await bundle(cluster, "certified")
        assert trusted.count("BEGIN") == 1
        for server in SERVERS:
            each = await issued(cluster, f"certified-{server}-tls")
            service = f"certified-{server}"
            forms = {service, f"{service}.default", f"{service}.default.svc", f"{service}.default.svc.cluster.local"}
            assert each.names == forms | {"localhost"} | ({"whisper.example.com"} if server == "api" else set())
            assert (each.uses, each.curve) == (["digitalSignature", "serverAuth"], "secp256r1")
            assert each.type == "kubernetes.io/tls"
            assert each.labels["whisper-operator.dev/transcriber"] == "certified"
            each.verify(f"{service}.default.svc", trusted)
            life = each.certificate.not_valid_after_utc - each.certificate.not_valid_before_utc
            assert life.days == 90


async def test_renewals_restart_nothing_and_a_new_authority_is_trusted_at_once(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    """`cmctl renew`, a Secret deleted by hand, and an authority that is made anew beneath all certificates."""
    api = Api(control_plane)
    for manifest in named("whisper-authority", "renewing"):
        api.apply(manifest)
    tls = {"certManager": {"issuerRef": {"name": "renewing"}}}
    async with operator(control_plane, tmp_path, *lease, "--resync=600"):
        await cluster.apply(resource(TRANSCRIBER, "kept", tls=tls))
        await until_ready(cluster, "default", "kept", 60)
        before = [await cluster.get(STATEFUL_SET, "default", f"kept-{server}") for server in SERVERS[:3]]
        trusted = await bundle(cluster, "kept")

        (await renew(cluster, "kept-redis-tls")).verify("kept-redis.default.svc", trusted)

        old = (await issued(cluster, "kept-objects-tls")).certificate.serial_number
        await cluster.delete(SECRET, "default", "kept-objects-tls")

        def anew(found: Manifest | None) -> bool:
            return found is not None and bool(found["data"].get("tls.crt")) and serial(found) != old

        await until(cluster, SECRET, "default", "kept-objects-tls", anew, 30)
        assert await bundle(cluster, "kept") == trusted

        await renew(cluster, "renewing")
        after = await renew(cluster, "kept-postgres-tls")
        fresh = (await issued(cluster, "renewing")).certificate
        assert after.authority == fresh

        def both(found: Manifest | None) -> bool:
            return found is not None and found["data"]["ca.crt"].count("BEGIN") == 2

        await until(cluster, CONFIG_MAP, "default", "kept-ca", both, 30)
        after.verify("kept-postgres.default.svc", await bundle(cluster, "kept"))
        await until_ready(cluster, "default", "kept")
        now = [await cluster.get(STATEFUL_SET, "default", f"kept-{server}") for server in SERVERS[:3]]
        assert [generation(each) for each in now] == [generation(each) for each in before]
        assert said(await cluster.get(TRANSCRIBER, "default", "kept"))[0] == "True"


async def test_without_an_issuer_cert_manager_signs_with_the_operators_own_authority(
    cluster: LiveCluster, control_plane: Path, lease: tuple[str, ...], tmp_path: Path
) -> None:
    async with operator(control_plane, tmp_path, *lease):
        await cluster.apply(resource(TRANSCRIBER, "own", tls={"certManager": {}}))
        await until_ready(cluster, "default", "own", 60)
        live = await cluster.get(ISSUER, "default", "own-ca")
        assert condition(live, "Ready")["status"] == "True"
        trusted = await bundle(cluster, "own")
        ours = await cluster.get(SECRET, "default", "own-ca")
        assert ours is not None
        theirs = {server: await issued(cluster, f"own-{server}-tls") for server in SERVERS[:3]}
        for server, each in theirs.items():
            each.verify(f"own-{server}.default.svc", trusted)
            assert each.authority == Issued(ours).certificate
        # And back: the operator makes them itself from here on, and those that hold stay.
        await cluster.apply(resource(TRANSCRIBER, "own"))
        await until(cluster, CERTIFICATE, "default", "own-redis-tls", lambda found: not exists(found), 30)
        await until_ready(cluster, "default", "own")
        assert (await issued(cluster, "own-redis-tls")).certificate == theirs["redis"].certificate


def named(old: str, new: str) -> list[Any]:
    """The example's authority by another name."""
    text = EXAMPLE.read_text().replace(old, new).replace("whisper-selfsigned", f"{new}-selfsigned")
    return list(yaml.safe_load_all(text))[:-1]


def serial(secret: Manifest) -> int:
    """The serial number of the certificate in a Secret."""
    return Issued(secret).certificate.serial_number


def generation(found: Manifest | None) -> int:
    """Grows with each change of the spec."""
    assert found is not None
    return int(found["metadata"]["generation"])
