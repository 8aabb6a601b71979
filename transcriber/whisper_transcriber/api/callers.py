"""Who asks: the tenant whose jobs, uploads and webhooks a request may see, by the key that it carries."""

import secrets
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.errors import ApiError, not_found
from whisper_transcriber.domain.job import DEFAULT_TENANT, Job


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request. `key` is None for the operator's own key, and where none is asked for."""

    tenant: str = DEFAULT_TENANT
    key: UUID | None = None


def caller(request: Request, deps: Given) -> Caller:
    """The bearer of the API key, if there is one. Raises ApiError (401)."""
    wanted = deps.settings.api_key.get_secret_value()
    if not wanted:
        return Caller()
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise ApiError(401, "Send the API key as `Authorization: Bearer KEY`.", code="missing_api_key")
    if not secrets.compare_digest(given.strip().encode(), wanted.encode()):
        raise ApiError(401, "The API key is wrong.", code="invalid_api_key")
    return Caller()


Called = Annotated[Caller, Depends(caller)]


async def own_job(job_id: UUID, deps: Given, who: Called) -> Job:
    """The job of the path, if it is the caller's; another tenant's is not there (404)."""
    job = await deps.store.get(job_id)
    if job is None or job.tenant != who.tenant:
        raise unknown_job(job_id)
    return job


OwnJob = Annotated[Job, Depends(own_job)]


def unknown_job(job: UUID) -> ApiError:
    """The 404 for a job."""
    return not_found(f"There is no job {job}.", "job_not_found")
