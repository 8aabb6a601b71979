"""Jobs, models and lists as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from whisper_transcriber.domain.job import ErrorCode, Job, Status
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.domain.options import Task
from whisper_transcriber.domain.outlook import Outlook, expected_end, position
from whisper_transcriber.domain.outputs import objects
from whisper_transcriber.domain.webhooks import Event
from whisper_transcriber.render import FORMATS


class ErrorBody(BaseModel):
    """Why a job failed."""

    code: ErrorCode
    message: str


class WindowsBody(BaseModel):
    """The stretches of at most 30 s that a job is cut into."""

    done: int
    total: int | None = Field(description="None until the audio is decoded to its end")
    repeated: int = Field(description="How many were transcribed again after they were done")


class WebhookBody(BaseModel):
    """Whom a job tells of its end."""

    url: str
    events: list[Event]
    transcript: bool


class OutputBody(BaseModel):
    """Where a job's result is written besides."""

    url: str
    objects: dict[str, str] = Field(description="The s3:// URL of each object, by format, whether it is there or not")


class JobBody(BaseModel):
    """A job. Times are Unix seconds, durations seconds of audio."""

    id: str
    object: Literal["transcription.job"] = "transcription.job"
    status: Status
    model: str
    model_digest: str | None
    engine: str | None
    task: Task
    language: str | None
    priority: int
    metadata: dict[str, str]
    reused_from: str | None = Field(description="The job whose result this one took over: same audio, same options")
    progress: int = Field(ge=0, le=100, description="Percent of the audio")
    audio_seconds: float | None
    processed_seconds: float
    created_at: int
    started_at: int | None
    finished_at: int | None
    queue_position: int | None = Field(description="1 for the job that is next; null in lists, and once it runs")
    estimated_finish_at: int | None = Field(description="A guess from the pace of late; null in lists, and if unknown")
    real_time_factor: float | None = Field(description="Wall seconds per second of audio")
    error: ErrorBody | None
    results: dict[str, str] = Field(description="Where the transcript is, by format; empty until it is there")
    windows: WindowsBody
    webhook: WebhookBody | None = Field(description="What came of it: `GET /v1/jobs/{id}/deliveries`")
    output: OutputBody | None = Field(description="What came of it: the delivery to its URL")


class JobList(BaseModel):
    """A page of jobs, newest first; `last_id` is the `after` of the next page."""

    object: Literal["list"] = "list"
    data: list[JobBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ModelBody(BaseModel):
    """A model, as OpenAI's clients know it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "whisper-operator"


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelBody]


def job_body(job: Job, outlook: Outlook | None = None, now: datetime | None = None) -> JobBody:
    """A job as clients see it, with what is expected of it if that is known."""
    expected = expected_end(job, outlook, now) if outlook and now else None
    url, hook, out = f"/v1/jobs/{job.id}/result?format=", job.webhook, job.output
    return JobBody(
        id=str(job.id),
        status=job.status,
        model=job.request.model,
        model_digest=job.model_digest,
        engine=job.engine,
        task=job.request.options.task,
        language=job.language or job.request.options.language,
        priority=job.request.priority,
        metadata=dict(job.metadata),
        reused_from=str(job.reused_from) if job.reused_from else None,
        progress=job.progress,
        audio_seconds=_rounded(job.audio_seconds),
        processed_seconds=round(job.processed_seconds, 3),
        created_at=int(job.created_at.timestamp()),
        started_at=_unix(job.started_at),
        finished_at=_unix(job.finished_at),
        queue_position=position(job, outlook) if outlook else None,
        estimated_finish_at=_unix(expected),
        real_time_factor=_rounded(job.real_time_factor, 4),
        error=ErrorBody(code=job.failure.code, message=job.failure.message) if job.failure else None,
        results={form: url + form for form in FORMATS} if job.status == "succeeded" else {},
        windows=WindowsBody(done=job.windows_done, total=job.windows_total, repeated=job.windows_repeated),
        webhook=WebhookBody(url=hook.url, events=[*hook.events], transcript=hook.transcript) if hook else None,
        output=OutputBody(url=out.url, objects=objects(out, job.id)) if out else None,
    )


def model_bodies(spec: ModelSpec) -> list[ModelBody]:
    """A model under its name and each alias."""
    return [ModelBody(id=name) for name in (spec.name, *spec.aliases)]


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
