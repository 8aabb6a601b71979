"""Certificates are written before anything that needs them."""

from dataclasses import replace

from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.certs import Certified
from whisper_operator.cluster.port import Cluster, Manifest, name_of
from whisper_operator.errors import Conflict, Rejected, Transient, WebhookFailed
from whisper_operator.judge import Verdict
from whisper_operator.reconcile.act import Guessed, troubled
from whisper_operator.reconcile.events import Deed, logged
from whisper_operator.reconcile.observe import Sight


async def secure(
    cluster: Cluster, cr: WhisperTranscriber, certified: Certified, sight: Sight
) -> tuple[Certified, Sight]:
    """Write the Secrets that are due, the authority's first: what it signed is worth nothing without it.

    Returns what is so now. Where one was refused nothing is published, and no pod changes. Raises: Transient, Guessed.
    """
    secrets = dict(sight.secrets)
    with logged("Wrote certificates", cr.key) as deeds:
        for manifest in certified.writes:
            try:
                live, what = await _write(cluster, manifest, sight)
            except (Rejected, WebhookFailed) as error:
                seen = replace(sight, secrets=secrets, deeds=[*sight.deeds, *deeds])
                return _refused(certified, manifest, error), troubled(cr, seen, [(manifest, error)])
            secrets[name_of(manifest)] = live
            deeds.append(Deed(what, "Secret", name_of(manifest)))
    return certified, complained(replace(sight, secrets=secrets, deeds=[*sight.deeds, *deeds]), certified)


def _refused(certified: Certified, manifest: Manifest, error: Rejected | WebhookFailed) -> Certified:
    reason = "WebhookFailed" if isinstance(error, WebhookFailed) else error.reason
    said = Verdict(reason, f"The API server refused Secret {name_of(manifest)}: {error}", stalled=True)
    trouble = dict.fromkeys(certified.servers, said)
    return replace(certified, bundle="", missing=certified.servers, trouble=trouble)


def complained(sight: Sight, certified: Certified) -> Sight:
    """The sight with what is wrong with certificates among the troubles of the servers that need them."""
    trouble = {part: [*said] for part, said in sight.trouble.items()}
    for part in certified.missing & certified.trouble.keys():
        trouble.setdefault(part, []).append(certified.trouble[part])
    return replace(sight, trouble=trouble)


async def _write(cluster: Cluster, manifest: Manifest, sight: Sight) -> tuple[Manifest, str]:
    """Created or changed, never applied: what another operator has written meanwhile is looked at first."""
    if "resourceVersion" in manifest["metadata"]:
        try:
            return await cluster.amend(manifest), "Renewed"
        except Rejected as error:
            if error.reason == "NotFound":
                raise Transient(f"Secret {name_of(manifest)} was deleted meanwhile") from error
            raise
    try:
        return await cluster.create(manifest), "Created"
    except Conflict as error:
        if sight.guessed:
            raise Guessed(name_of(manifest)) from error
        raise
