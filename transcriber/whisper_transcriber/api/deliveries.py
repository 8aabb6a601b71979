"""What came of the webhooks of a job, and trying them anew."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.callers import OwnJob
from whisper_transcriber.bell.port import HOOKS
from whisper_transcriber.domain.deliveries import Delivery, DeliveryStatus
from whisper_transcriber.domain.webhooks import Event
from whisper_transcriber.request.errors import not_found

router = APIRouter(prefix="/v1/jobs/{job_id}/deliveries", tags=["webhooks"])


class AttemptBody(BaseModel):
    """One try to deliver."""

    at: int = Field(description="Unix seconds")
    seconds: float = Field(description="How long it took")
    status_code: int | None = Field(description="What the receiver answered")
    error: str | None = Field(description="Why there was no answer")


class DeliveryBody(BaseModel):
    """An event on its way to a webhook. Times are Unix seconds."""

    id: str
    object: Literal["webhook.delivery"] = "webhook.delivery"
    event_id: str = Field(description="The header `webhook-id`, and the event's `id`: the same at every try")
    type: Event
    url: str
    status: DeliveryStatus
    created_at: int
    next_attempt_at: int | None = Field(description="Null once it is over")
    attempts: list[AttemptBody] = Field(description="The last 50")


class DeliveryList(BaseModel):
    """The deliveries of a job, newest first, a hundred at most."""

    object: Literal["list"] = "list"
    data: list[DeliveryBody]


@router.get("")
async def list_(job: OwnJob, deps: Given) -> DeliveryList:
    """What came of the webhooks of a job."""
    return DeliveryList(data=[_body(each) for each in await deps.store.hooks.of(job.id)])


@router.post("/{delivery_id}/redeliver", status_code=202)
async def redeliver(delivery_id: UUID, job: OwnJob, deps: Given) -> DeliveryBody:
    """Deliver it anew, now and with all its tries, whatever came of it; the event keeps its id."""
    found = await deps.store.hooks.redeliver(job.id, delivery_id)
    if found is None:
        raise not_found(f"The job has no delivery {delivery_id}.", "delivery_not_found")
    await deps.bell.ring(HOOKS)
    return _body(found)


def _body(delivery: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=str(delivery.id),
        event_id=delivery.event_id,
        type=delivery.type,
        url=delivery.url,
        status=delivery.status,
        created_at=int(delivery.created_at.timestamp()),
        next_attempt_at=_unix(delivery.next_at),
        attempts=[
            AttemptBody(at=int(each.at.timestamp()), **{name: getattr(each, name) for name in _SAME})
            for each in delivery.log
        ],
    )


_SAME = ("seconds", "status_code", "error")


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
