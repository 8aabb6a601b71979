"""What webhooks are sent, for the OpenAPI document: the deliverer makes it, nobody here does."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field

from whisper_transcriber.api.bodies import ErrorBody
from whisper_transcriber.domain.webhooks import Event

router = APIRouter()


class Told(BaseModel):
    """A job as it ended. Times are Unix seconds."""

    model_config = ConfigDict(extra="forbid")

    id: str
    status: Literal["succeeded", "failed", "cancelled"]
    model: str
    language: str | None
    audio_seconds: float | None
    metadata: dict[str, str]
    error: ErrorBody | None
    created_at: int
    finished_at: int
    result: str | None = Field(description="Where the transcript is, if there is one")
    transcript: str | None = Field(None, description="The text, only if it was asked for")


class EventBody(BaseModel):
    """An event. `id` is the header `webhook-id` too, and the same at every try."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^evt_[0-9a-f]{32}$")
    object: Literal["event"]
    type: Event
    created_at: int
    data: Told


Id = Annotated[str, Header(alias="webhook-id")]
Timestamp = Annotated[int, Header(alias="webhook-timestamp", description="When this try was made, Unix seconds")]
Signature = Annotated[
    str,
    Header(
        alias="webhook-signature",
        description="Standard Webhooks: `v1,` and the base64 of an HMAC-SHA256 over id, timestamp and body with dots "
        "between, one for each live secret, with spaces between",
    ),
]


@router.post("job-ended", status_code=204)
async def job_ended(event: EventBody, id_: Id, timestamp: Timestamp, signature: Signature) -> None:
    """A job has ended, and asked for this. Any 2xx will do; anything else, and nothing, is tried again."""
