"""The certificates of a transcriber's servers: who makes them, what must be written now, what is wrong with them.

By the operator's own authority (`own`) or by cert-manager (`manager`). Nothing here talks to the cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.tls import CertManager
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.certs import decide, forge, manager, own
from whisper_operator.certs.forge import Unreadable
from whisper_operator.certs.wanted import Wanted, wanted
from whisper_operator.judge import Verdict
from whisper_operator.plan.common import Manifest

__all__ = ["Certified", "certify", "secrets"]


@dataclass(frozen=True)
class Certified:
    """What there is to do about certificates.

    `writes`: Secrets to create, or (with a resourceVersion) to change. `bundle`: the authorities that clients trust,
    PEM. `servers`: those that need a certificate. `missing`: those of them that have none which can be used.
    `trouble`: what is wrong, by component. `again`: when something is due next, if anything ever is. `children`: what
    is asked of cert-manager.
    """

    writes: tuple[Manifest, ...] = field(default=(), repr=False)
    bundle: str = ""
    servers: frozenset[Component] = frozenset()
    trouble: Mapping[Component, Verdict] = field(default_factory=dict)
    missing: frozenset[Component] = frozenset()
    again: datetime | None = None
    children: tuple[Manifest, ...] = ()


def secrets(cr: WhisperTranscriber) -> list[str]:
    """The Secrets to read before anything can be decided."""
    servers = [one.secret for one in wanted(cr)]
    return [names.authority(cr.name), *servers] if servers else []


def certify(
    cr: WhisperTranscriber,
    found: Mapping[str, Manifest],
    now: datetime,
    children: Mapping[tuple[str, str], Manifest] | None = None,
    served: frozenset[str] = manager.KINDS,
) -> Certified:
    """What is due by the Secrets that were `found`, by name; `children` and `served` as in the plan's Observed."""
    servers = wanted(cr)
    if not servers:
        return Certified()
    asked = cr.spec.tls.cert_manager
    if asked and asked.issuer_ref:
        return _managed(cr, asked, servers, found, now, children or {}, served)
    known = [ca for one in servers for ca in own.issuers(found.get(one.secret))]
    try:
        authority, write = own.authority(cr, found.get(names.authority(cr.name)), known, now)
    except Unreadable as error:
        return _broken(cr, servers, found, known, error)
    if asked:
        managed = _managed(cr, asked, servers, found, now, children or {}, served)
        bundle = "".join(dict.fromkeys((*(ca.pem for ca in authority.trusted), *(ca.pem for ca in known))))
        return replace(managed, writes=(write,) if write else (), bundle=bundle)
    leaves = [own.leaf(cr, one, found.get(one.secret), authority, now) for one in servers]
    writes = tuple(filter(None, [write, *(changed for _, changed in leaves)]))
    successor = forge.read(authority.successor.certificate) if authority.successor else None
    certificates = [certificate for certificate, _ in leaves]
    again = decide.again(forge.read(authority.signer.certificate), successor, certificates, now)
    return Certified(writes, authority.bundle, frozenset(one.component for one in servers), again=again)


def _managed(
    cr: WhisperTranscriber,
    asked: CertManager,
    servers: list[Wanted],
    found: Mapping[str, Manifest],
    now: datetime,
    children: Mapping[tuple[str, str], Manifest],
    served: frozenset[str],
) -> Certified:
    """cert-manager makes them: it is asked, and nothing that needs one changes before it has answered for all."""
    here = served >= manager.KINDS
    faults = {
        one.component: manager.fault(one, found.get(one.secret), children.get(("Certificate", one.secret)), now)
        for one in servers
    }
    missing = frozenset(component for component, verdict in faults.items() if verdict)
    trouble = {component: verdict for component, verdict in faults.items() if verdict}
    known = [ca for one in servers for ca in own.issuers(found.get(one.secret))]
    return Certified(
        bundle="".join(dict.fromkeys(ca.pem for ca in known)),
        servers=frozenset(faults),
        trouble=trouble if here else dict.fromkeys(faults, manager.ABSENT),
        missing=missing,
        children=tuple(manager.requests(cr, asked, servers)) if here else (),
    )


def _broken(
    cr: WhisperTranscriber,
    servers: Sequence[Wanted],
    found: Mapping[str, Manifest],
    known: Sequence[forge.Certificate],
    error: Unreadable,
) -> Certified:
    """Without an authority nothing can be signed; what has a certificate goes on with it."""
    name = names.authority(cr.name)
    said = f"Secret {name} in namespace {cr.namespace} holds no certificate authority: {error}. "
    advice = "Put it back, or delete the Secret: a new authority is made, and every certificate with it."
    verdict = Verdict("AuthorityUnreadable", said + advice, stalled=True)
    missing = frozenset(one.component for one in servers if one.secret not in found)
    bundle = "".join(dict.fromkeys(ca.pem for ca in known))
    every = frozenset(one.component for one in servers)
    return Certified((), bundle, every, dict.fromkeys(every, verdict), missing)
