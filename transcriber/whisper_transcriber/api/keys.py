"""API keys and tenants, for whoever administers the service."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.domain.job import DEFAULT_TENANT
from whisper_transcriber.domain.keys import SCOPES, ApiKey, NewKey, Scope, digest, new_secret, start_of
from whisper_transcriber.request.errors import bad, not_found
from whisper_transcriber.request.parameters import Storable

router = APIRouter(prefix="/v1/admin", tags=["admin"])
_TENANT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_MOST = 2**31 - 1


class NewKeyBody(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Storable = Field(min_length=1, max_length=100, description="To know it by")
    tenant: str = Field(DEFAULT_TENANT, pattern=_TENANT, description="Whose jobs, uploads and webhooks it sees")
    scopes: list[Scope] = Field(["transcribe", "jobs"], min_length=1, max_length=len(SCOPES))
    expires_at: AwareDatetime | None = Field(None, description="RFC 3339, or Unix seconds; never if absent")
    requests_per_minute: int | None = Field(None, ge=1, le=_MOST)
    audio_seconds_per_day: int | None = Field(None, ge=1, le=_MOST, description="Days begin at midnight UTC")


class KeyBody(BaseModel):
    """A key. Times are Unix seconds."""

    id: str
    object: Literal["api_key"] = "api_key"
    name: str
    tenant: str
    scopes: list[Scope]
    start: str = Field(description="Its first characters")
    created_at: int | None
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    requests_per_minute: int | None
    audio_seconds_per_day: int | None


class MadeKeyBody(KeyBody):
    """A key that was just made."""

    key: str = Field(description="The key itself. It is not kept and never shown again.")


class KeyList(BaseModel):
    """All keys, newest first."""

    object: Literal["list"] = "list"
    data: list[KeyBody]


class TenantBody(BaseModel):
    """What is set for a tenant."""

    model_config = ConfigDict(extra="forbid")

    retention_seconds: int | None = Field(None, ge=0, le=_MOST, description="How long jobs stay; null: as for all")


@router.post("/keys", status_code=201)
async def create(asked: NewKeyBody, deps: Given) -> MadeKeyBody:
    """Make a key."""
    if asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
        raise bad("expires_at is in the past.", "expires_at")
    secret = new_secret()
    new = NewKey(
        uuid4(),
        asked.name,
        asked.tenant,
        tuple(dict.fromkeys(asked.scopes)),
        asked.expires_at,
        asked.requests_per_minute,
        asked.audio_seconds_per_day,
    )
    made = await deps.store.keys.add(new, digest(secret), start_of(secret))
    return MadeKeyBody(key=secret, **_body(made).model_dump())


@router.get("/keys")
async def list_(deps: Given) -> KeyList:
    """All keys, revoked and expired ones too."""
    return KeyList(data=[_body(key) for key in await deps.store.keys.list()])


@router.get("/keys/{key_id}")
async def get(key_id: UUID, deps: Given) -> KeyBody:
    """A key."""
    return _found(await deps.store.keys.get(key_id), key_id)


@router.delete("/keys/{key_id}")
async def revoke(key_id: UUID, deps: Given) -> KeyBody:
    """Revoke a key: from now on it opens nothing."""
    return _found(await deps.store.keys.revoke(key_id), key_id)


Tenant = Annotated[str, Path(pattern=_TENANT)]


@router.get("/tenants/{tenant}")
async def tenant(tenant: Tenant, deps: Given) -> TenantBody:
    """What is set for a tenant."""
    return TenantBody(retention_seconds=await deps.store.keys.retention(tenant))


@router.put("/tenants/{tenant}")
async def set_tenant(tenant: Tenant, asked: TenantBody, deps: Given) -> TenantBody:
    """Set how long the jobs of a tenant stay after their end."""
    await deps.store.keys.keep(tenant, asked.retention_seconds)
    return asked


def _found(key: ApiKey | None, id_: UUID) -> KeyBody:
    if key is None:
        raise not_found(f"There is no key {id_}.", "key_not_found")
    return _body(key)


def _body(key: ApiKey) -> KeyBody:
    return KeyBody(
        id=str(key.id),
        name=key.name,
        tenant=key.tenant,
        scopes=list(key.scopes),
        start=key.start,
        created_at=_unix(key.created_at),
        expires_at=_unix(key.expires_at),
        revoked_at=_unix(key.revoked_at),
        last_used_at=_unix(key.last_used_at),
        requests_per_minute=key.requests_per_minute,
        audio_seconds_per_day=key.audio_seconds_per_day,
    )


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
