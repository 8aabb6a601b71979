"""The operator's own certificate authority: a Secret with its key, and a Secret for each server it signs for."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.certs import decide, forge
from whisper_operator.certs.decide import Step, Why
from whisper_operator.certs.forge import Certificate, Pair, Unreadable
from whisper_operator.certs.wanted import Wanted
from whisper_operator.plan.common import Manifest, manifest

NEXT_CERTIFICATE, NEXT_KEY = "next.crt", "next.key"


@dataclass(frozen=True)
class Authority:
    """Who signs, who will, and everybody whose certificates are trusted (both of them among these)."""

    signer: Pair
    successor: Pair | None
    trusted: tuple[Certificate, ...]

    @property
    def bundle(self) -> str:
        """All that are trusted, PEM."""
        return "".join(one.pem for one in self.trusted)


def text(secret: Manifest, key: str) -> str:
    """A key of a Secret as text; empty where it is missing or none."""
    try:
        return b64decode((secret.get("data") or {}).get(key) or "").decode()
    except (NotBase64, UnicodeDecodeError):
        return ""


def authority(
    cr: WhisperTranscriber, secret: Manifest | None, issuers: Sequence[Certificate], now: datetime
) -> tuple[Authority, Manifest | None]:
    """The authority as it is from now on, and its Secret if that must be written.

    `issuers` signed the certificates in use: a new authority, made because the old one was lost, trusts them until
    they end, so that nothing has to change at once.
    Raises: Unreadable, where the Secret is there and holds no authority: nobody but a person may throw it away.
    """
    signer, successor, retired = _kept(secret, now)
    step = decide.authority(_life(signer), _life(successor), now)
    if step is Step.MAKE:
        signer, successor = forge.authority(cr.name, now), None
    elif step is Step.PREPARE:
        successor = forge.authority(cr.name, now)
    elif step is Step.PROMOTE:
        signer, successor = successor, None
    assert signer is not None
    ours = [forge.read(pair.certificate) for pair in (signer, successor) if pair]
    trusted = _distinct([*ours, *retired, *(issuers if step is Step.MAKE else ())])
    found = Authority(signer, successor, trusted)
    if step is Step.NONE:
        return found, None
    data = {
        names.KEY_CERTIFICATE: signer.certificate,
        names.KEY_PRIVATE: signer.key,
        NEXT_CERTIFICATE: successor.certificate if successor else None,
        NEXT_KEY: successor.key if successor else None,
        names.KEY_CA: found.bundle,
    }
    return found, written(cr, names.authority(cr.name), None, data, secret)


def leaf(
    cr: WhisperTranscriber, one: Wanted, secret: Manifest | None, by: Authority, now: datetime
) -> tuple[Certificate, Manifest | None]:
    """A server's certificate as it is from now on, and its Secret if that must be written."""
    found, why = _present(secret), Why.UNREADABLE if secret else Why.MISSING
    if found is not None:
        trusted = any(forge.issued(found, ca) for ca in by.trusted)
        why = decide.leaf(found, one.names, trusted, now)
        if why is Why.FINE:
            return found, None
    pair = forge.leaf(by.signer, one.names, now)
    data = {
        names.KEY_CERTIFICATE: pair.certificate,
        names.KEY_PRIVATE: pair.key,
        names.KEY_CA: by.signer.certificate,
    }
    return forge.read(pair.certificate), written(cr, one.secret, one.component, data, secret)


def issuers(secret: Manifest | None) -> Sequence[Certificate]:
    """Whoever signed the certificate of a server, as its Secret says."""
    try:
        return forge.authorities(text(secret, names.KEY_CA)) if secret else ()
    except Unreadable:
        return ()


def written(
    cr: WhisperTranscriber,
    name: str,
    component: Component | None,
    values: Mapping[str, str | None],
    live: Manifest | None,
) -> Manifest:
    """The Secret to create; or, where it is there, the change of its data, which fits this very version only."""
    data = {key: b64encode(value.encode()).decode() if value else None for key, value in values.items()}
    if live is not None:
        meta = {key: live["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}
    whole = {key: value for key, value in data.items() if value}
    owned = cr.spec.deletion_policy == "Delete"
    return manifest("v1", "Secret", cr, name, component, owned=owned, type="kubernetes.io/tls", data=whole)


def _kept(secret: Manifest | None, now: datetime) -> tuple[Pair | None, Pair | None, Sequence[Certificate]]:
    if secret is None:
        return None, None, []
    signer = _pair(secret, names.KEY_CERTIFICATE, names.KEY_PRIVATE)
    if signer is None:
        raise Unreadable(f"{names.KEY_CERTIFICATE} or {names.KEY_PRIVATE} is empty")
    bundle = text(secret, names.KEY_CA)
    trusted = forge.authorities(bundle) if bundle else ()
    return signer, _pair(secret, NEXT_CERTIFICATE, NEXT_KEY), [ca for ca in trusted if now < ca.end]


def _pair(secret: Manifest, certificate: str, key: str) -> Pair | None:
    pair = Pair(text(secret, certificate), text(secret, key))
    if not (pair.certificate and pair.key):
        return None
    forge.read(pair.certificate, pair.key)
    return pair


def _present(secret: Manifest | None) -> Certificate | None:
    try:
        return forge.read(text(secret, names.KEY_CERTIFICATE), text(secret, names.KEY_PRIVATE)) if secret else None
    except Unreadable:
        return None


def _life(pair: Pair | None) -> Certificate | None:
    return forge.read(pair.certificate) if pair else None


def _distinct(found: Sequence[Certificate]) -> tuple[Certificate, ...]:
    return tuple({(ca.subject, ca.serial): ca for ca in found}.values())
