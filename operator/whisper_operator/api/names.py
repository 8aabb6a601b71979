"""The strings that must agree: group, labels, names of children, names of environment variables."""

from enum import StrEnum
from typing import Final

GROUP: Final = "whisper-operator.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "whisper"
TRANSCRIBER_KIND: Final = "WhisperTranscriber"
TRANSCRIBER_PLURAL: Final = "whispertranscribers"
JOB_KIND: Final = "TranscriptionJob"
JOB_PLURAL: Final = "transcriptionjobs"
FIELD_MANAGER: Final = "whisper-operator"

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_TRANSCRIBER: Final = f"{GROUP}/transcriber"
LABEL_COLOUR: Final = f"{GROUP}/colour"
RESERVED_PREFIXES: Final = ("app.kubernetes.io/", f"{GROUP}/")
APP: Final = "whisper-transcriber"
MANAGER: Final = "whisper-operator"
OPERATOR: Final = "operator"
"""The component label of the operator's own pods, as its chart sets it."""
CONFIG_CHECKSUM: Final = f"{GROUP}/config-checksum"
# On the API's Deployment: the migration Job that its pods wait for.
MIGRATION: Final = f"{GROUP}/migration"
# On the workers' Deployment: how few ready pods are enough, where more may be on their way.
LEAST: Final = f"{GROUP}/least-replicas"
SECRETS_CHECKSUM: Final = f"{GROUP}/secrets-checksum"

# The longest child name is `<cr>-migrate-<10 hex digits>`; a pod adds six more, and all must fit 63 characters.
MAX_NAME: Final = 40
BLUE: Final = "blue"
DATA_VOLUME: Final = "data"

API_PORT: Final = 8000
API_SERVICE_PORT: Final = 80
API_SECURE_SERVICE_PORT: Final = 443
POSTGRES_PORT: Final = 5432
REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
POSTGRES_METRICS_PORT: Final = 9187
REDIS_METRICS_PORT: Final = 9121
OBJECTS_PORT: Final = 7070

DATABASE: Final = "whisper"
BUCKET: Final = "whisper"
REGION: Final = "us-east-1"

KEY_USERNAME: Final = "username"
KEY_PASSWORD: Final = "password"  # noqa: S105  the name of a key, not a password
KEY_URI: Final = "uri"
KEY_ACCESS_KEY: Final = "access-key"
KEY_SECRET_KEY: Final = "secret-key"  # noqa: S105
KEY_API_KEY: Final = "api-key"
KEY_OBJECTS_KEYS: Final = "keys"
KEY_WEBHOOKS: Final = "secret"
KEY_ROLLOUT: Final = "hmac-key"
KEY_HEADERS: Final = "headers"
KEY_METRICS_POSTGRES: Final = "postgres-password"
KEY_METRICS_REDIS: Final = "redis-password"
KEY_CERTIFICATE: Final = "tls.crt"
KEY_PRIVATE: Final = "tls.key"
KEY_CA: Final = "ca.crt"


class Component(StrEnum):
    """The value of the component label."""

    API = "api"
    WORKER = "worker"
    POSTGRES = "postgres"
    REDIS = "redis"
    OBJECTS = "objects"
    MIGRATE = "migrate"


class Env(StrEnum):
    """The transcriber's environment: its settings.py parses exactly these."""

    DATABASE_URL = "WHISPER_DATABASE_URL"
    REDIS_URL = "WHISPER_REDIS_URL"
    DATABASE_CA = "WHISPER_DATABASE_CA"
    REDIS_TLS = "WHISPER_REDIS_TLS"
    REDIS_CA = "WHISPER_REDIS_CA"
    S3_CA = "WHISPER_S3_CA"
    TLS_CERT = "WHISPER_TLS_CERT"
    TLS_KEY = "WHISPER_TLS_KEY"
    S3_ENDPOINT = "WHISPER_S3_ENDPOINT"
    S3_BUCKET = "WHISPER_S3_BUCKET"
    S3_REGION = "WHISPER_S3_REGION"
    S3_ACCESS_KEY = "WHISPER_S3_ACCESS_KEY"
    S3_SECRET_KEY = "WHISPER_S3_SECRET_KEY"  # noqa: S105
    OBJECTS_KEYS = "WHISPER_OBJECTS_KEYS"
    OBJECTS_READ_UNENCRYPTED = "WHISPER_OBJECTS_READ_UNENCRYPTED"
    CORS_ORIGINS = "WHISPER_CORS_ORIGINS"
    RETENTION_SECONDS = "WHISPER_RETENTION_SECONDS"
    LOG_LEVEL = "WHISPER_LOG_LEVEL"
    FETCH_CA = "WHISPER_FETCH_CA"
    FETCH_TIMEOUT_SECONDS = "WHISPER_FETCH_TIMEOUT_SECONDS"
    API_KEY = "WHISPER_API_KEY"
    WEBHOOK_SECRET = "WHISPER_WEBHOOK_SECRET"  # noqa: S105
    PUBLIC_URL = "WHISPER_PUBLIC_URL"
    HOST = "WHISPER_HOST"
    PORT = "WHISPER_PORT"
    MODELS = "WHISPER_MODELS"
    DEFAULT_MODEL = "WHISPER_DEFAULT_MODEL"
    MODEL_CACHE = "WHISPER_MODEL_CACHE"
    WORKER_ID = "WHISPER_WORKER_ID"
    MAX_UPLOAD_BYTES = "WHISPER_MAX_UPLOAD_BYTES"
    MAX_QUEUE_SECONDS = "WHISPER_MAX_QUEUE_SECONDS"
    MAX_AUDIO_SECONDS = "WHISPER_MAX_AUDIO_SECONDS"
    S3_SOURCES = "WHISPER_S3_SOURCES"
    S3_OUTPUTS = "WHISPER_S3_OUTPUTS"
    FETCH_ALLOW_PRIVATE = "WHISPER_FETCH_ALLOW_PRIVATE"


def child(transcriber: str, *parts: str) -> str:
    """The name of a child: `main-worker-blue`."""
    return "-".join((transcriber, *parts))


def api(transcriber: str) -> str:
    """The API's Deployment, Service and ServiceAccount."""
    return child(transcriber, "api")


def worker(transcriber: str, colour: str = BLUE) -> str:
    """The workers' Deployment of one colour."""
    return child(transcriber, "worker", colour)


def models(transcriber: str) -> str:
    """The PersistentVolumeClaim of the models that workers have fetched."""
    return child(transcriber, "models")


def worker_account(transcriber: str) -> str:
    """The workers' ServiceAccount, of any colour."""
    return child(transcriber, "worker")


def data_account(transcriber: str) -> str:
    """The ServiceAccount of PostgreSQL, Redis and the object store."""
    return child(transcriber, "data")


def postgres(transcriber: str) -> str:
    """PostgreSQL's StatefulSet, Service and Secret."""
    return child(transcriber, "postgres")


def redis(transcriber: str) -> str:
    """Redis' StatefulSet, Service and Secret."""
    return child(transcriber, "redis")


def objects(transcriber: str) -> str:
    """The object store's StatefulSet, Service and Secret."""
    return child(transcriber, "objects")


def objects_keys(transcriber: str) -> str:
    """The Secret with the keys that encrypt objects, where the operator makes it."""
    return child(transcriber, "objects-keys")


def claim(stateful_set: str) -> str:
    """The PersistentVolumeClaim of a StatefulSet's only pod."""
    return f"{DATA_VOLUME}-{stateful_set}-0"


def config(transcriber: str) -> str:
    """The ConfigMap with the transcriber's environment."""
    return child(transcriber, "config")


def api_key(transcriber: str) -> str:
    """The Secret with the API's key."""
    return child(transcriber, "api-key")


def webhooks(transcriber: str) -> str:
    """The Secret that the secrets of all tenants' webhooks follow from."""
    return child(transcriber, "webhooks")


def rollout(transcriber: str) -> str:
    """The Secret with the key of the hashes that roll pods when their Secrets change."""
    return child(transcriber, "rollout")


def metrics(transcriber: str) -> str:
    """The Secret with the passwords of those who read the metrics of PostgreSQL and Redis."""
    return child(transcriber, "metrics")


def authority(transcriber: str) -> str:
    """The Secret with the key of the transcriber's own certificate authority; the ConfigMap with what to trust."""
    return child(transcriber, "ca")


def certificate(service: str) -> str:
    """The Secret with a service's certificate and its key."""
    return child(service, "tls")


def generated(transcriber: str, *, exporters: bool) -> tuple[str, ...]:
    """Every Secret that the operator may make for a transcriber."""
    return (
        postgres(transcriber),
        redis(transcriber),
        objects(transcriber),
        api_key(transcriber),
        webhooks(transcriber),
        rollout(transcriber),
        *((metrics(transcriber),) if exporters else ()),
    )


def migrate(transcriber: str, digest: str) -> str:
    """The migration Job whose template has this hash."""
    return child(transcriber, "migrate", digest)


def api_service_port(tls: bool) -> int:
    """The port of the API's Service."""
    return API_SECURE_SERVICE_PORT if tls else API_SERVICE_PORT


def endpoint(transcriber: str, namespace: str, *, tls: bool = False) -> str:
    """The API's URL inside the cluster."""
    return f"{'https' if tls else 'http'}://{api(transcriber)}.{namespace}.svc"


def selector(transcriber: str, component: Component) -> dict[str, str]:
    """The labels that select a component's pods. They never change: selectors are immutable."""
    return {LABEL_TRANSCRIBER: transcriber, LABEL_COMPONENT: str(component)}
