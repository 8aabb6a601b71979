"""The secrets that sign webhooks, from the service's own."""

from collections.abc import Sequence
from datetime import datetime

from whisper_transcriber.domain.webhooks import Signing, keys
from whisper_transcriber.settings import Settings


def roots(settings: Settings) -> Sequence[str]:
    """What all secrets follow from, the newest first; none: webhooks are not set up."""
    return settings.webhook_secret.get_secret_value().split()


def secrets(settings: Settings, tenant: str, signing: Signing, now: datetime) -> list[str]:
    """A tenant's secrets (`whsec_…`) that sign now, the newest first."""
    return keys(roots(settings), tenant, signing, now)
