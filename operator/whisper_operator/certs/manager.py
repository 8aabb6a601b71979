"""Certificates by cert-manager: what it is asked for, and what its answers are worth."""

from collections.abc import Mapping
from datetime import datetime

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.tls import CertManager
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.certs import forge, own
from whisper_operator.certs.forge import Unreadable
from whisper_operator.certs.wanted import Wanted
from whisper_operator.judge import Verdict
from whisper_operator.plan.common import Manifest, labels, manifest

API_VERSION = "cert-manager.io/v1"
KINDS = frozenset({"Certificate", "Issuer"})
ABSENT = Verdict(
    "CertManagerNotFound",
    "spec.tls.certManager is set, but the cluster has no cert-manager (cert-manager.io/v1). Install it, or remove the "
    "field: the operator then makes the certificates itself.",
    stalled=True,
)


def requests(cr: WhisperTranscriber, asked: CertManager, servers: list[Wanted]) -> list[Manifest]:
    """A Certificate for each server; and an Issuer over the operator's own authority, where no issuer is named."""
    ref = asked.issuer_ref
    name = names.authority(cr.name)
    issuer = {"name": ref.name, "kind": ref.kind, "group": ref.group} if ref else {"name": name, "kind": "Issuer"}
    own_issuer = manifest(API_VERSION, "Issuer", cr, name, None, spec={"ca": {"secretName": name}})
    return [*([] if ref else [own_issuer]), *(_certificate(cr, one, issuer) for one in servers)]


def _certificate(cr: WhisperTranscriber, one: Wanted, issuer: Mapping[str, str]) -> Manifest:
    days = forge.LEAF_LIFE.days
    spec = {
        "secretName": one.secret,
        "secretTemplate": {"labels": labels(cr, one.component)},
        "dnsNames": list(one.names),
        "duration": f"{24 * days}h0m0s",
        "renewBefore": f"{24 * days // 3}h0m0s",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8", "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
        "issuerRef": dict(issuer),
    }
    return manifest(API_VERSION, "Certificate", cr, one.secret, one.component, spec=spec)


def fault(one: Wanted, secret: Manifest | None, live: Manifest | None, now: datetime) -> Verdict | None:
    """What is wrong with a server's certificate, the Secret and the Certificate being as they are."""
    said = _said(live)
    waiting = Verdict(
        "CertificateNotIssued",
        f"cert-manager has not issued Certificate {one.secret} yet{said}. "
        f"Look at kubectl describe certificate {one.secret}, and at {_issuer(live)}.",
    )
    if secret is None:
        return waiting
    try:
        found = forge.read(own.text(secret, names.KEY_CERTIFICATE), own.text(secret, names.KEY_PRIVATE))
    except Unreadable as error:
        advice = "Delete the Secret: cert-manager makes it anew."
        return Verdict("CertificateUnreadable", f"Secret {one.secret}: {error}. {advice}", stalled=True)
    if now >= found.end:
        ended = f"{found.end:%Y-%m-%d %H:%M} UTC"
        advice = f"cert-manager should have renewed it{said}: look at kubectl describe certificate {one.secret}."
        return Verdict("CertificateExpired", f"Secret {one.secret}: expired at {ended}; {advice}", stalled=True)
    missing = [name for name in one.names if name not in found.names]
    if missing:
        if said:
            return waiting
        what = f"Secret {one.secret}: the certificate is not for {', '.join(missing)}."
        advice = "Does the issuer allow these names? Once it does, delete the Secret."
        return Verdict("CertificateNameMismatch", f"{what} {advice}", stalled=True)
    if not own.issuers(secret):
        advice = "Choose an issuer that tells its authority, such as a CA issuer; ACME does not."
        what = f"Secret {one.secret} has no {names.KEY_CA}, so nobody could verify the certificate."
        return Verdict("CertificateWithoutAuthority", f"{what} {advice}", stalled=True)
    return None


def _said(live: Manifest | None) -> str:
    """What cert-manager says of a Certificate that is not ready."""
    for condition in ((live or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] != "True":
            return f": {str(condition.get('message') or condition.get('reason')).rstrip('.')}"
    return ""


def _issuer(live: Manifest | None) -> str:
    """Who should sign. What keeps an issuer from it is told in requests that the operator does not see."""
    ref = ((live or {}).get("spec") or {}).get("issuerRef")
    return f"its issuer, {ref['kind']} {ref['name']}" if ref else "its issuer"
