"""Who asks: the tenant whose jobs a request may see, by the key that it carries; what the key may do, and how often."""

import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from whisper_transcriber.api.access import Given, tell
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.job import DEFAULT_TENANT, Job
from whisper_transcriber.domain.keys import SCOPES, ApiKey, Scope, Use, digest
from whisper_transcriber.logs import bind
from whisper_transcriber.request.errors import ApiError, not_found


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request. `key` is None for the operator's own key, and where none is asked for."""

    tenant: str = DEFAULT_TENANT
    key: UUID | None = None
    scopes: tuple[Scope, ...] = SCOPES


async def caller(request: Request, deps: Given) -> Caller:
    """The bearer of a key; without authentication everybody, but to administer. Raises ApiError (401, 429)."""
    operators = deps.settings.api_key.get_secret_value()
    if not operators:
        return Caller(scopes=("transcribe", "jobs", "webhooks"))
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        raise ApiError(401, "Send the API key as `Authorization: Bearer KEY`.", code="missing_api_key")
    if secrets.compare_digest(given.encode(), operators.encode()):
        return Caller()
    use = await deps.store.keys.use(digest(given))
    if use is None:
        raise ApiError(401, "The API key is wrong.", code="invalid_api_key")
    if not use.usable:
        raise ApiError(401, "The API key has expired or was revoked.", code="invalid_api_key")
    tell(request, _rate(use))
    if use.wait:
        tell(request, {"retry-after": str(math.ceil(use.wait))})
        raise ApiError(429, "The key makes too many requests; wait a moment.", code="rate_limit_exceeded")
    return Caller(use.key.tenant, use.key.id, tuple(use.key.scopes))


Called = Annotated[Caller, Depends(caller)]


def allowed(scope: Scope) -> Callable[[Caller], Awaitable[None]]:
    """A dependency: the caller's key must have the scope. Raises ApiError (403)."""

    # Not a plain function, here and elsewhere: FastAPI calls those in a thread, which costs more than what they do.
    async def check(who: Called) -> None:
        if scope not in who.scopes:
            raise ApiError(403, f"The API key lacks the scope {scope!r}.", code="missing_scope")

    return check


async def operator(who: Called) -> None:
    """A dependency: only the operator's own key, or anybody where none is asked for. Raises ApiError (403)."""
    if who.key is not None:
        raise ApiError(403, "Only the operator's own key may ask this.", code="missing_scope")


async def has_audio_left(request: Request, deps: Given, who: Called) -> None:
    """A dependency of what makes jobs: today's audio of the key is not used up. Raises ApiError (429)."""
    key = await deps.store.keys.get(who.key) if who.key else None
    if key is not None:
        await _audio(request, deps, key)


async def own_job(job_id: UUID, deps: Given, who: Called) -> Job:
    """The job of the path, if it is the caller's; another tenant's is not there (404)."""
    job = await deps.store.get(job_id)
    if job is None or job.tenant != who.tenant:
        raise unknown_job(job_id)
    bind(job=str(job_id))
    return job


OwnJob = Annotated[Job, Depends(own_job)]


def unknown_job(job: UUID) -> ApiError:
    """The 404 for a job."""
    return not_found(f"There is no job {job}.", "job_not_found")


async def _audio(request: Request, deps: Deps, key: ApiKey) -> None:
    if key.audio_seconds_per_day is None:
        return
    left = key.audio_seconds_per_day - await deps.store.keys.audio_used(key.id)
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    wait = math.ceil((midnight - now).total_seconds())
    tell(request, _limits("audio-seconds", key.audio_seconds_per_day, max(0, int(left)), wait))
    if left <= 0:
        tell(request, {"retry-after": str(wait)})
        raise ApiError(429, "The key's audio of today (UTC) is used up.", code="insufficient_quota")


def _rate(use: Use) -> dict[str, str]:
    if use.left is None or use.key.requests_per_minute is None:
        return {}
    return _limits("requests", use.key.requests_per_minute, use.left, math.ceil(use.full_after))


def _limits(what: str, limit: int, left: int, reset: int) -> dict[str, str]:
    prefix = "x-ratelimit-"
    values = {"limit": str(limit), "remaining": str(left), "reset": f"{reset}s"}
    return {f"{prefix}{name}-{what}": value for name, value in values.items()}
