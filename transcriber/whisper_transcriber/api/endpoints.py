"""Webhooks of a tenant: URLs that are told of the end of each of its jobs."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.bodies import WebhookBody
from whisper_transcriber.api.callers import Called
from whisper_transcriber.api.webhooks import check
from whisper_transcriber.domain.webhooks import EVENTS, Endpoint, Event
from whisper_transcriber.request.errors import ApiError, not_found
from whisper_transcriber.request.job_parameters import WebhookFields, WebhookUrl, webhook_of
from whisper_transcriber.request.parameters import Value
from whisper_transcriber.store.hooks import ENDPOINTS

router = APIRouter(prefix="/v1/webhooks/endpoints", tags=["webhooks"])


class EndpointChange(Value):
    """What is left out stays."""

    url: WebhookUrl | None = None
    events: tuple[Event, ...] | None = Field(None, min_length=1, max_length=len(EVENTS))
    transcript: bool | None = None
    enabled: bool | None = Field(None, description="Whether it is told of what ends from now on")


class EndpointBody(WebhookBody):
    """A tenant's webhook. Times are Unix seconds."""

    id: str
    object: Literal["webhook.endpoint"] = "webhook.endpoint"
    created_at: int
    enabled: bool
    disabled_at: int | None = Field(description="Since when it is told no more: by you, or since it answered 410")


class EndpointList(BaseModel):
    """A tenant's webhooks, oldest first."""

    object: Literal["list"] = "list"
    data: list[EndpointBody]


async def own_endpoint(endpoint_id: UUID, deps: Given, who: Called) -> Endpoint:
    """The endpoint of the path, if it is the caller's; another tenant's is not there (404)."""
    found = next((each for each in await deps.store.hooks.endpoints(who.tenant) if each.id == endpoint_id), None)
    return _found(found, endpoint_id)


OwnEndpoint = Annotated[Endpoint, Depends(own_endpoint)]


@router.post("", status_code=201)
async def create(asked: WebhookFields, deps: Given, who: Called) -> EndpointBody:
    """Tell a URL of the end of each job from now on, but of those that a request waits for."""
    webhook = webhook_of(asked)
    check(webhook, deps.settings)
    made = await deps.store.hooks.add(uuid4(), who.tenant, webhook)
    if made is None:
        raise ApiError(409, f"A tenant may have {ENDPOINTS} webhooks; delete one first.", code="too_many_webhooks")
    return _body(made)


@router.get("")
async def list_(deps: Given, who: Called) -> EndpointList:
    """The tenant's webhooks."""
    return EndpointList(data=[_body(each) for each in await deps.store.hooks.endpoints(who.tenant)])


@router.get("/{endpoint_id}")
async def get(endpoint: OwnEndpoint) -> EndpointBody:
    """A webhook of the tenant."""
    return _body(endpoint)


@router.patch("/{endpoint_id}")
async def change(endpoint: OwnEndpoint, asked: EndpointChange, deps: Given) -> EndpointBody:
    """Change a webhook; what is on its way already goes where it was to go."""
    given = asked.model_dump(exclude_none=True, exclude={"enabled"})
    webhook = webhook_of(WebhookFields(**{**vars(endpoint.webhook), **given}))
    check(webhook, deps.settings)
    enabled = endpoint.disabled_at is None if asked.enabled is None else asked.enabled
    changed = await deps.store.hooks.change(endpoint.tenant, endpoint.id, webhook, enabled=enabled)
    return _body(_found(changed, endpoint.id))


@router.delete("/{endpoint_id}", status_code=204)
async def delete(endpoint: OwnEndpoint, deps: Given) -> Response:
    """Forget a webhook, with what is on its way to it."""
    await deps.store.hooks.remove(endpoint.tenant, endpoint.id)
    return Response(status_code=204)


def _found(endpoint: Endpoint | None, id_: UUID) -> Endpoint:
    if endpoint is None:
        raise not_found(f"There is no webhook {id_}.", "webhook_not_found")
    return endpoint


def _body(endpoint: Endpoint) -> EndpointBody:
    hook = endpoint.webhook
    return EndpointBody(
        id=str(endpoint.id),
        url=hook.url,
        events=[*hook.events],
        transcript=hook.transcript,
        created_at=int(endpoint.created_at.timestamp()),
        enabled=endpoint.disabled_at is None,
        disabled_at=_unix(endpoint.disabled_at),
    )


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
