"""The Prometheus metrics of the transcriber. Each process has its own registry; tests make their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900)


class Metrics:
    """All metrics of one process. Names follow the Prometheus conventions: base units, `_total` on counters."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.jobs = Counter("whisper_jobs", "Jobs that ended here, by outcome", ["outcome"], registry=registry)
        self.windows = Counter("whisper_windows", "Windows transcribed here", registry=registry)
        self.windows_skipped = Counter(
            "whisper_windows_skipped", "Windows found done by an earlier attempt", registry=registry
        )
        self.audio_seconds = Counter("whisper_audio_seconds", "Seconds of audio transcribed here", registry=registry)
        self.stage_seconds = Histogram(
            "whisper_stage_seconds",
            "Time in each stage of a job: fetch (a file), decode, vad, queue, record (a window), encode, detect, "
            "generate, align (a batch)",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self.batch_windows = Histogram(
            "whisper_batch_windows", "Windows in a batch", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self.batch_seconds = Histogram(
            "whisper_batch_seconds", "Time that a batch took", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.fallbacks = Counter(
            "whisper_fallbacks", "Windows decoded once more without repetitions", registry=registry
        )
        self.errors = Counter("whisper_errors", "What went wrong at the work, by kind", ["kind"], registry=registry)
        self.windows_waiting = Gauge(
            "whisper_windows_waiting", "Windows that wait in this worker", ["model"], registry=registry
        )
        self.windows_oldest = Gauge(
            "whisper_windows_oldest_seconds",
            "How long the oldest window has waited in this worker",
            ["model"],
            registry=registry,
        )
        self.backlog = Gauge(
            "whisper_backlog_audio_seconds",
            "Audio of the windows that wait in this worker",
            ["model"],
            registry=registry,
        )
        self.inflight = Gauge(
            "whisper_inflight_audio_seconds",
            "Audio of the jobs that this worker has claimed, as far as it is not done",
            registry=registry,
        )
        self.real_time_factor = Histogram(
            "whisper_real_time_factor",
            "Wall seconds per second of audio, of finished jobs",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        self.busy = Gauge("whisper_worker_busy", "Claims that this worker holds; 0 while it is idle", registry=registry)
        self.model_ready = Gauge("whisper_model_ready", "1 while the model is loaded", ["model"], registry=registry)
        self.queue_jobs = Gauge("whisper_queue_jobs", "Jobs by state, the whole service", ["state"], registry=registry)
        self.queue_age = Gauge(
            "whisper_queue_oldest_seconds", "How long the oldest queued job has waited", registry=registry
        )
        self.queue_unopened = Gauge(
            "whisper_queue_unopened_jobs", "Queued jobs whose length nobody knows yet", registry=registry
        )
        self.queue_backlog = Gauge(
            "whisper_queue_backlog_seconds", "Seconds of audio that a worker could claim", registry=registry
        )
        self.queue_in_flight = Gauge(
            "whisper_queue_in_flight_seconds", "Seconds of audio still to do in claims that are held", registry=registry
        )
        self.queue_claims = Gauge(
            "whisper_queue_claims", "Jobs and parts that are claimable, or claimed", ["state"], registry=registry
        )
        self.webhooks = Counter(
            "whisper_webhooks", "Tries to deliver webhooks, by outcome", ["outcome"], registry=registry
        )
        self.webhook_deliveries = Gauge(
            "whisper_webhook_deliveries",
            "Deliveries that are not over, and of those the due",
            ["state"],
            registry=registry,
        )
        self.webhook_age = Gauge(
            "whisper_webhook_oldest_seconds", "How long the oldest delivery has been due", registry=registry
        )
        self.webhook_seconds = Histogram(
            "whisper_webhook_seconds",
            "Time until a webhook's receiver answered",
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self.request_batches = Counter(
            "whisper_request_batches", "Batches of requests that ended here, by status", ["status"], registry=registry
        )
        self.bell_failures = Counter("whisper_bell_failures", "Rings that Redis did not take", registry=registry)
        self.requests = Counter(
            "whisper_http_requests", "HTTP requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "whisper_http_request_seconds", "Time to answer", ["method", "route"], registry=registry
        )

    def expose(self) -> tuple[bytes, str]:
        """The metrics in the text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
