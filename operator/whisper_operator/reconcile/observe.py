"""What there is: a transcriber's children, pods, claims and Secrets, read in one go."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.certs import secrets as certificates
from whisper_operator.cluster.port import (
    BUDGET,
    CERTIFICATE,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    INGRESS,
    ISSUER,
    JOB,
    NETWORK_POLICY,
    POD,
    POD_MONITOR,
    PODS_AUTOSCALER,
    PVC,
    SCALED_OBJECT,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    STATEFUL_SET,
    TRIGGER_AUTHENTICATION,
    Cluster,
    Manifest,
    name_of,
)
from whisper_operator.errors import Transient
from whisper_operator.judge import Verdict, kept, missing, references
from whisper_operator.plan import keyring, lost, named
from whisper_operator.reconcile.events import Deed

CHILD_KINDS = (
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    SERVICE,
    STATEFUL_SET,
    DEPLOYMENT,
    JOB,
    BUDGET,
    NETWORK_POLICY,
    PODS_AUTOSCALER,
    INGRESS,
)
# Made where their CRDs are there, which may come and go.
OPTIONAL_KINDS = (SERVICE_MONITOR, POD_MONITOR, SCALED_OBJECT, TRIGGER_AUTHENTICATION, CERTIFICATE, ISSUER)


@dataclass(frozen=True)
class Sight:
    """`secrets`: generated ones that exist. `values`: the data of every Secret in use, by name.

    `children`, claims among them, by (kind, name). `trouble` by component. `deeds`: what was done about it.
    `guessed`: nobody asked for the generated Secrets. `served`: the optional kinds that there are, by name.
    """

    secrets: Mapping[str, Manifest] = field(repr=False)
    values: Mapping[str, Mapping[str, str]] = field(repr=False)
    children: Mapping[tuple[str, str], Manifest]
    pods: Sequence[Manifest] = ()
    claims: Sequence[Manifest] = ()
    trouble: Mapping[str, Sequence[Verdict]] = field(default_factory=dict)
    deeds: Sequence[Deed] = ()
    guessed: bool = False
    served: frozenset[str] = frozenset()


async def observe(cluster: Cluster, cr: WhisperTranscriber, *, new: bool = False) -> Sight:
    """Read everything that belongs to a transcriber. One that is `new` is taken to have no generated Secrets yet.

    Raises: Transient while something still belongs to a deleted transcriber of the same name and is about to vanish.
    """
    labels = {names.LABEL_TRANSCRIBER: cr.name}
    optional = [kind for kind in OPTIONAL_KINDS if await cluster.serves(kind)]
    kinds = (*CHILD_KINDS, *optional, POD, PVC)
    listed, found = await asyncio.gather(
        asyncio.gather(*(cluster.list(kind, cr.namespace, labels) for kind in kinds)), _secrets(cluster, cr, new)
    )
    secrets = {name: found[name] for name in _ours(cr) if name in found}
    values: dict[str, Mapping[str, str]] = {name: secret.get("data") or {} for name, secret in found.items()}
    children = {(kind.name, name_of(m)): m for kind, some in zip(kinds, listed, strict=True) for m in some}
    sight = Sight(
        secrets=secrets,
        values=values,
        children={key: child for key, child in children.items() if key[0] != POD.name},
        pods=listed[-2],
        claims=listed[-1],
        trouble=_incomplete(cr, values, lost(cr, secrets, children)),
        guessed=new,
        served=frozenset(kind.name for kind in optional),
    )
    _refuse_leftovers(cr, [*children.values(), *secrets.values()])
    return sight


async def events_about(cluster: Cluster, namespace: str, uids: Sequence[str]) -> list[Manifest]:
    """The Events about these objects. Asked for only where something is wrong: Events are many."""
    found = await asyncio.gather(*(cluster.list(EVENT, namespace, fields=f"regarding.uid={uid}") for uid in uids))
    return [event for listed in found for event in listed]


async def _secrets(cluster: Cluster, cr: WhisperTranscriber, new: bool) -> dict[str, Manifest]:
    """The Secrets that pods use, by name. Each is asked for by name: the operator may not list Secrets."""
    ours = () if new else _ours(cr)
    theirs = (reference.name for reference in references(cr.spec))
    wanted = list(dict.fromkeys((*ours, *theirs, *named(cr.spec))))
    found = await asyncio.gather(*(cluster.get(SECRET, cr.namespace, name) for name in wanted))
    return {name: secret for name, secret in zip(wanted, found, strict=True) if secret is not None}


def _ours(cr: WhisperTranscriber) -> tuple[str, ...]:
    """The Secrets that the operator makes for this transcriber."""
    keys = keyring(cr)
    return (
        *names.generated(cr.name, exporters=cr.spec.monitoring.exporters.enabled),
        *([keys] if keys else []),
        *certificates(cr),
    )


def _incomplete(
    cr: WhisperTranscriber, values: Mapping[str, Mapping[str, str]], gone: str | None
) -> dict[str, list[Verdict]]:
    trouble: dict[str, list[Verdict]] = {}
    ours = [
        reference for reference in kept(cr.name, cr.spec) if reference.name in values or reference.name == gone
    ]  # others are about to be made
    for reference in (*references(cr.spec), *ours):
        verdict = missing(reference, cr.namespace, values.get(reference.name))
        if verdict:
            trouble.setdefault(reference.component, []).append(verdict)
    return trouble


def _refuse_leftovers(cr: WhisperTranscriber, found: Sequence[Manifest]) -> None:
    """Adopting what the garbage collector is about to delete would lose it a moment later."""
    for child in found:
        for owner in child["metadata"].get("ownerReferences") or ():
            if owner["kind"] == cr.KIND and owner["uid"] != cr.metadata.uid:
                raise Transient(
                    f"{child['kind']} {name_of(child)} belongs to a deleted {cr.KIND} of the same name; "
                    "waiting for the garbage collector"
                )
