"""The operator's own authority: real keys, an injected clock, Secrets as they would be in the cluster."""

from __future__ import annotations

import ssl
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.certs import Certified, certify, forge
from whisper_operator.certs.decide import OVERLAP
from whisper_operator.certs.forge import Unreadable

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SERVERS = ("main-postgres-tls", "main-redis-tls", "main-objects-tls")
Secrets = dict[str, dict[str, Any]]


def transcriber(**spec: Any) -> WhisperTranscriber:
    metadata = {"name": "main", "namespace": "speech", "uid": "uid-1"}
    return WhisperTranscriber.parse({"metadata": metadata, "spec": spec})


def kept(secrets: Secrets, certified: Certified) -> Secrets:
    """The Secrets after what was due has been written."""
    after = dict(secrets)
    for manifest in certified.writes:
        name = manifest["metadata"]["name"]
        data = {**after.get(name, {}).get("data", {}), **manifest["data"]}
        meta = {"name": name, "namespace": "speech", "resourceVersion": "7"}
        after[name] = {"metadata": meta, "data": {key: value for key, value in data.items() if value is not None}}
    return after


def text(secrets: Secrets, name: str, key: str = "tls.crt") -> str:
    return b64decode(secrets[name]["data"][key]).decode()


def written(certified: Certified) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in certified.writes]


@pytest.fixture
def first() -> tuple[Secrets, Certified]:
    certified = certify(transcriber(), {}, NOON)
    return kept({}, certified), certified


def test_a_new_transcriber_gets_an_authority_and_a_certificate_for_each_store(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    assert written(certified) == ["main-ca", *SERVERS]
    assert certified.again == NOON + 60 * DAY
    assert not certified.trouble and not certified.missing
    for manifest in certified.writes:
        assert manifest["type"] == "kubernetes.io/tls"
        assert "ownerReferences" not in manifest["metadata"]
    found = forge.read(text(secrets, "main-postgres-tls"), text(secrets, "main-postgres-tls", "tls.key"))
    assert found.names == {
        "main-postgres",
        "main-postgres.speech",
        "main-postgres.speech.svc",
        "main-postgres.speech.svc.cluster.local",
        "localhost",
    }
    assert found.end == NOON + 90 * DAY
    (authority,) = forge.authorities(certified.bundle)
    assert authority.end == NOON + 3650 * DAY
    assert forge.issued(found, authority)


def test_at_rest_nothing_is_written(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    for later in (NOON, NOON + 59 * DAY):
        again = certify(transcriber(), secrets, later)
        assert not again.writes
        assert again.bundle == certified.bundle


def test_a_certificate_is_renewed_and_its_authority_stays(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    later = NOON + 60 * DAY
    renewed = certify(transcriber(), secrets, later)
    assert written(renewed) == [*SERVERS]
    assert renewed.bundle == certified.bundle
    assert all(m["metadata"]["resourceVersion"] == "7" for m in renewed.writes)
    after = kept(secrets, renewed)
    old, new = (forge.read(text(found, "main-redis-tls")) for found in (secrets, after))
    assert (new.serial != old.serial, new.end) == (True, later + 90 * DAY)
    assert not certify(transcriber(), after, later).writes


def test_an_authority_is_followed_by_another_while_both_are_trusted(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    later = NOON + 2434 * DAY
    secrets = kept(secrets, certify(transcriber(), secrets, later - 50 * DAY))
    prepared = certify(transcriber(), secrets, later)
    assert written(prepared) == ["main-ca"]
    assert prepared.again == later + OVERLAP
    old, new = forge.authorities(prepared.bundle)
    assert old.pem == certified.bundle
    secrets = kept(secrets, prepared)

    promoted = certify(transcriber(), secrets, later + OVERLAP)
    assert written(promoted) == ["main-ca"]
    assert forge.authorities(promoted.bundle) == (new, old)
    secrets = kept(secrets, promoted)
    assert text(secrets, "main-ca") == new.pem
    assert "next.crt" not in secrets["main-ca"]["data"]

    renewed = kept(secrets, certify(transcriber(), secrets, later + 40 * DAY))
    assert forge.issued(forge.read(text(renewed, "main-redis-tls")), new)
    after = certify(transcriber(), renewed, NOON + 3651 * DAY)
    assert old.pem not in after.bundle and new.pem in after.bundle


def test_a_lost_authority_is_replaced_and_what_it_signed_goes_on(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    del secrets["main-ca"]
    again = certify(transcriber(), secrets, NOON + DAY)
    assert written(again) == ["main-ca"]
    assert certified.bundle in again.bundle
    assert len(forge.authorities(again.bundle)) == 2
    assert not certify(transcriber(), kept(secrets, again), NOON + DAY).writes


def test_what_somebody_else_signed_is_signed_again(first: tuple[Secrets, Certified]) -> None:
    secrets, _ = first
    other = kept({}, certify(transcriber(), {}, NOON))
    mixed = {**secrets, "main-redis-tls": other["main-redis-tls"]}
    assert written(certify(transcriber(), mixed, NOON)) == ["main-redis-tls"]


@pytest.mark.parametrize("data", [{}, {"tls.crt": "bm9uZQ==", "tls.key": "bm9uZQ=="}, {"tls.crt": "%"}])
def test_a_damaged_certificate_is_made_again(first: tuple[Secrets, Certified], data: dict[str, str]) -> None:
    secrets, _ = first
    secrets["main-redis-tls"] = {**secrets["main-redis-tls"], "data": data}
    assert written(certify(transcriber(), secrets, NOON)) == ["main-redis-tls"]


def test_a_key_of_another_certificate_is_damage_too(first: tuple[Secrets, Certified]) -> None:
    secrets, _ = first
    data = {**secrets["main-redis-tls"]["data"], "tls.key": secrets["main-objects-tls"]["data"]["tls.key"]}
    secrets["main-redis-tls"] = {**secrets["main-redis-tls"], "data": data}
    assert written(certify(transcriber(), secrets, NOON)) == ["main-redis-tls"]


def test_a_damaged_authority_is_a_persons_to_throw_away(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    secrets["main-ca"] = {**secrets["main-ca"], "data": {"tls.crt": "bm9uZQ=="}}
    broken = certify(transcriber(), secrets, NOON)
    assert not broken.writes and not broken.missing
    assert broken.bundle == certified.bundle
    said = next(iter(broken.trouble.values()))
    assert (said.reason, said.stalled) == ("AuthorityUnreadable", True)
    assert "main-ca" in said.message and "delete the Secret" in said.message


def test_new_names_make_a_new_certificate(first: tuple[Secrets, Certified]) -> None:
    secrets, _ = first
    api = {"tls": {"api": {"enabled": True}}}
    secrets = kept(secrets, certify(transcriber(**api), secrets, NOON))
    named = {"tls": {"api": {"enabled": True, "dnsNames": ["whisper.example.com"]}}}
    again = certify(transcriber(**named), secrets, NOON)
    assert written(again) == ["main-api-tls"]
    assert "whisper.example.com" in forge.read(text(kept(secrets, again), "main-api-tls")).names


def test_only_servers_of_ours_get_certificates() -> None:
    assert certify(transcriber(tls={"enabled": False}), {}, NOON) == Certified()
    external = {"postgres": {"external": {"secretRef": {"name": "pg"}}}}
    assert written(certify(transcriber(**external), {}, NOON)) == ["main-ca", *SERVERS[1:]]


def test_the_owner_is_the_transcriber_only_where_deleting_it_deletes_all() -> None:
    for manifest in certify(transcriber(deletionPolicy="Delete"), {}, NOON).writes:
        assert manifest["metadata"]["ownerReferences"][0]["uid"] == "uid-1"


def test_no_key_shows(first: tuple[Secrets, Certified]) -> None:
    secrets, certified = first
    key = text(secrets, "main-ca", "tls.key").splitlines()[1]
    assert key not in repr(certified)
    assert key not in repr(forge.Pair("certificate", text(secrets, "main-ca", "tls.key")))
    with pytest.raises(Unreadable) as caught:
        forge.read(text(secrets, "main-ca"), key)
    assert key not in str(caught.value)


def test_a_strict_client_believes_it(first: tuple[Secrets, Certified], tmp_path: Path) -> None:
    """A handshake in memory, with the strictest checks that OpenSSL has; the clock is the machine's."""
    now = datetime.now(UTC)
    certified = certify(transcriber(), {}, now)
    secrets = kept({}, certified)
    for key in ("tls.crt", "tls.key"):
        (tmp_path / key).write_text(text(secrets, "main-redis-tls", key))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=certified.bundle)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert _handshake(client, server, "main-redis.speech.svc")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _handshake(client, server, "main-postgres")


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    for _ in range(10):
        waiting = 0
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            return True
    return False
