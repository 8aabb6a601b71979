"""What the environment says: every `WHISPER_…` variable, parsed once at the edge."""

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

PREFIX = "WHISPER_"


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from None


class InvalidSettings(Exception):
    """The environment is wrong and the user must edit it; `problems` holds one sentence a field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class S3Source(BaseModel):
    """A bucket that jobs may name as their source. No endpoint: the real S3. No keys: the ambient credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    bucket: str = Field(min_length=3, max_length=63)
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    tenants: tuple[str, ...] = Field((), description="Whose jobs may; empty: everybody's")

    @model_validator(mode="before")
    @classmethod
    def _credentials(cls, given: Any) -> Any:
        """`credentials`: what the names of the variables with its keys begin with, so that they are in no list."""
        if not isinstance(given, dict) or "credentials" not in given:
            return given
        prefix = given["credentials"]
        names = {"accessKey": f"{prefix}_ACCESS_KEY", "secretKey": f"{prefix}_SECRET_KEY"}
        if absent := [name for name in names.values() if not os.environ.get(name)]:
            raise ValueError(f"credentials: {' and '.join(absent)} must be set")
        rest = {key: value for key, value in given.items() if key != "credentials"}
        return {**rest, **{key: os.environ[name].strip() for key, name in names.items()}}


class S3Output(S3Source):
    """A bucket that jobs may have their results written to; only keys that begin with `prefix` are."""

    prefix: str = Field("", max_length=512)


class Settings(BaseSettings):
    """The transcriber's settings. Durations are seconds, sizes bytes; secrets never show in a repr or a log."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host:5432/database")
    redis_url: SecretStr = Field(
        SecretStr(""), description="redis://:password@host:6379/0, or a form of docs/redis.md; empty: polling only"
    )
    database_ca: Path | None = Field(
        None, description="File with the authorities PostgreSQL must be certified by; verify-full, unless the URL says"
    )
    redis_tls: bool | None = Field(None, description="Whether Redis is spoken to over TLS; not set: as the URL says")
    redis_ca: Path | None = Field(None, description="File with the authorities that Redis must be certified by")
    s3_ca: Path | None = Field(None, description="File with the authorities the store may be certified by, too")
    s3_endpoint: str = Field("", description="http(s)://host:port of the object store; empty: the real S3")
    s3_bucket: str = Field("whisper", min_length=3, max_length=63, description="Where audio and results are")
    s3_region: str = Field("us-east-1", description="The bucket's region")
    s3_access_key: SecretStr = Field(SecretStr(""), description="With s3_secret_key; empty: the pod's own credentials")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="The other half of it")
    objects_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that encrypt objects, a line `id: 64 hexadecimal digits` each; the first is used",
    )
    objects_read_unencrypted: bool = Field(
        False, description="Whether objects from before encryption was switched on are read"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_json)] = Field(
        (), description='Web pages that may call, a JSON list such as ["https://app.example.com"]; ["*"]: any'
    )
    retention_seconds: float = Field(0, ge=0, description="How long jobs stay after their end; 0: until deleted")
    api_key: SecretStr = Field(SecretStr(""), description="The key of /v1/*; empty: no authentication")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="What webhooks' secrets follow from; of several words each signs; empty: no webhooks"
    )
    webhook_schedule: Annotated[tuple[Annotated[float, Field(ge=0)], ...], NoDecode, BeforeValidator(_json)] = Field(
        # Standard Webhooks': ten tries in about three days.
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        max_length=100,
        description="Pauses between two tries to deliver a webhook, a JSON list",
    )
    webhook_timeout_seconds: float = Field(15, gt=0, le=300, description="How long a webhook's receiver may take")
    webhook_deliveries: int = Field(8, ge=1, le=1024, description="How many webhooks a worker delivers at once")
    public_url: str = Field("", description="Where clients reach the API, for the URLs in webhooks")

    host: str = Field("0.0.0.0", description="The address to listen on")  # noqa: S104 — a pod listens on all its own
    port: int = Field(8000, ge=0, le=65535, description="The port of the API, and of a worker's probes and metrics")
    tls_cert: Path | None = Field(None, description="The API's certificate; with tls_key it serves HTTPS")
    tls_key: Path | None = Field(None, description="The key of the API's certificate")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged at least")
    drain_seconds: float = Field(5, ge=0, description="How long the API still takes requests, unready, after SIGTERM")
    shutdown_seconds: float = Field(40, ge=0, description="How long requests in flight may go on after that")

    models: Annotated[tuple[dict[str, Any], ...], NoDecode, BeforeValidator(_json)] = Field(
        ({"name": "base"},), min_length=1, description="The models served, a JSON list"
    )
    default_model: str = Field("", description="The model of requests that name none; empty: the first")
    model_cache: Path = Field(Path("/var/cache/whisper"), description="Where models that were fetched are kept")
    preloaded_models: Path = Field(Path("/models"), description="Where an image has models, each in a folder so called")
    model_memory_bytes: int = Field(
        0, ge=0, description="Memory for loaded models; 0: what the cgroup or the GPU has, less a reserve"
    )
    threads: int = Field(0, ge=0, description="CPU threads per model; 0: what the cgroup allows")

    worker_id: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}", min_length=1, description="Who claims jobs"
    )
    claim_lease_seconds: float = Field(30, gt=0, description="How long a silent worker keeps its claim")
    poll_seconds: float = Field(3, gt=0, description="How often PostgreSQL is asked when no bell rings")
    max_failures: int = Field(3, ge=1, description="Attempts without one window of progress before a job fails")
    claims: int = Field(8, ge=1, le=1024, description="How many jobs a worker has in hand at once")
    part_seconds: float = Field(300, gt=0, description="How long the parts are that long audio is claimed in")
    parts_ahead: int = Field(
        24, ge=2, description="How many parts of one file may be in the object store before they are transcribed"
    )
    batch_windows: int = Field(8, ge=1, description="The most windows transcribed together on a GPU")
    lane_windows: int = Field(4, ge=1, description="The most windows transcribed together on each processor")
    batch_seconds: float = Field(2, gt=0, description="How long a batch may take: whatever comes next waits for it")
    sweep_seconds: float = Field(3600, gt=0, description="How often a worker looks for what nobody will ask for again")
    upload_seconds: float = Field(86400, gt=0, description="How long an upload may take until its job is recorded")
    file_seconds: float = Field(2_592_000, ge=0, description="How long a file stays; 0: until it is deleted")
    batch_max_bytes: int = Field(200 * 1000**2, ge=1, description="The largest file that a batch reads")
    batch_max_lines: int = Field(50_000, ge=1, description="The most requests in it")
    batch_ahead: int = Field(200, ge=1, le=10_000, description="How many jobs of one batch there may be at once")
    synchronous_seconds: float = Field(3600, gt=0, description="How long an ended job of a dead synchronous call stays")
    retry_seconds: float = Field(
        60, ge=0, description="How long a job stays whose client went away: it may ask for the same again"
    )
    scratch: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()), description="Where audio is unpacked")

    max_upload_bytes: int = Field(2 * 1024**3, ge=1, description="The largest audio file, sent or fetched")
    upload_memory_bytes: int = Field(
        512 * 1024**2, ge=1024**2, description="What an API pod holds at once of what is being sent to it"
    )
    max_queue_seconds: float = Field(
        3_600_000, ge=0, description="How much audio may wait; what comes then is refused. 0: any amount"
    )
    max_audio_seconds: float = Field(12 * 3600, gt=0, description="The longest audio")
    fetch_allow_private: bool = Field(False, description="Whether URL sources may be on private networks")
    s3_sources: Annotated[tuple[S3Source, ...], NoDecode, BeforeValidator(_json)] = Field(
        (), description="Buckets that jobs may name, a JSON list"
    )
    s3_outputs: Annotated[tuple[S3Output, ...], NoDecode, BeforeValidator(_json)] = Field(
        (), description="Buckets that jobs may have their results written to, a JSON list"
    )
    fetch_ca: Path | None = Field(
        None,
        description="File with authorities, besides the public ones, for URLs, webhooks and jobs' buckets",
    )
    fetch_timeout_seconds: float = Field(900, gt=0, description="The longest a URL source may take in all")


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        InvalidSettings: with one sentence for each wrong variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidSettings(explain(error)) from None
    except SettingsError as error:
        raise InvalidSettings([f"{PREFIX}* could not be read: {error}."]) from None


def variables() -> str:
    """Every variable with its default, and what it says: two lines each, for people."""
    return "\n".join(
        f"  {PREFIX}{name.upper()}{_default(field)}\n      {field.description}"
        for name, field in Settings.model_fields.items()
    )


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.default_factory is not None or default is None or default == "" or isinstance(default, SecretStr):
        return ""
    return f"={json.dumps(default) if isinstance(default, tuple | bool) else default}"


def explain(error: ValidationError, field: str = "") -> list[str]:
    """One sentence for each wrong field, without the value: it may be a secret."""
    return [_sentence(field, problem["loc"], problem["msg"]) for problem in error.errors(include_input=False)]


def _sentence(field: str, location: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in location)
    if field:
        name = f"{PREFIX}{field.upper()}" + (f" ({path})" if path else "")
    else:
        first, *rest = (str(part) for part in location) if location else ("*",)
        name = f"{PREFIX}{first.upper()}" + (f" ({'.'.join(rest)})" if rest else "")
    text = message.removeprefix("Value error, ")
    return f"{name}: {text[:1].lower()}{text[1:]}."
