"""ServiceAccounts: identities for policies and pull secrets; none of them gets a token."""

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, manifest


def accounts(cr: WhisperTranscriber) -> list[Manifest]:
    """One for the API (and migrations), one for the workers, one for what keeps data."""
    spec = cr.spec
    stores = (spec.postgres.external, spec.redis.external, spec.objects.external)
    wanted: list[tuple[str, Component | None]] = [
        (names.api(cr.name), Component.API),
        (names.worker_account(cr.name), Component.WORKER),
        *([(names.data_account(cr.name), None)] if None in stores else []),
    ]
    return [
        manifest("v1", "ServiceAccount", cr, name, component, automountServiceAccountToken=False)
        for name, component in wanted
    ]
