"""The secret that a tenant's webhooks are signed with, and which webhooks may be asked for."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import Called
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.secrets import roots, secrets
from whisper_transcriber.domain.webhooks import Signing, Webhook
from whisper_transcriber.fetch.guard import FetchFailed, choose, host_of
from whisper_transcriber.request.errors import ApiError, bad
from whisper_transcriber.settings import Settings

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
_DAY = 86400


class SecretBody(BaseModel):
    """A tenant's secret. Times are Unix seconds."""

    object: Literal["webhook.secret"] = "webhook.secret"
    secret: str = Field(description="For any library of Standard Webhooks, and OpenAI's clients")
    previous_until: int | None = Field(description="Until then the secret before signs too; null: it does not")


class Rotation(BaseModel):
    """How a secret is replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(
        _DAY, ge=0, le=30 * _DAY, description="How long the secret before signs too; 0: it ends now"
    )


@router.get("/secret")
async def secret(who: Called, deps: Given) -> SecretBody:
    """The secret that the tenant's webhooks are signed with."""
    _set_up(deps.settings)
    return _body(deps, who.tenant, await deps.store.keys.signing(who.tenant))


@router.post("/secret/rotate")
async def rotate(asked: Rotation, who: Called, deps: Given) -> SecretBody:
    """Replace the tenant's secret. For a while both sign, so that receivers can change over one by one."""
    _set_up(deps.settings)
    return _body(deps, who.tenant, await deps.store.keys.rotate(who.tenant, asked.overlap_seconds))


def check(webhook: Webhook | None, settings: Settings) -> None:
    """Return if a job may tell this URL of its end; where its name leads is looked at when it does. Raises ApiError."""
    if webhook is None:
        return
    _set_up(settings)
    try:
        host = host_of(webhook.url)
        if _is_address(host):
            choose(host, [host], allow_private=settings.fetch_allow_private)
    except FetchFailed as error:
        raise bad(f"webhook.url: {error}", "webhook.url") from None


def _set_up(settings: Settings) -> None:
    if not roots(settings):
        message = "This service signs no webhooks: its WHISPER_WEBHOOK_SECRET is not set."
        raise ApiError(400, message, code="webhooks_not_set_up", param="webhook")


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host.partition("%")[0]))
    except ValueError:
        return False


def _body(deps: Deps, tenant: str, signing: Signing) -> SecretBody:
    now, until = datetime.now(UTC), signing.previous_until
    newest, *_ = secrets(deps.settings, tenant, signing, now)
    return SecretBody(secret=newest, previous_until=int(until.timestamp()) if until and until > now else None)
