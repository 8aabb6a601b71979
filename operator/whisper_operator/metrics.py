"""The operator's own metrics, scraped at /metrics."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nobody asks when a counter was born

RECONCILE_SECONDS = Histogram(
    "whisper_operator_reconcile_seconds",
    "How long one reconcile took, by kind of resource and outcome (ok, waiting, stalled, invalid, transient, error).",
    ["kind", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
API_CALLS = Counter(
    "whisper_operator_api_calls_total",
    "Calls to the Kubernetes API, by verb, kind and HTTP status (0: no answer).",
    ["verb", "kind", "status"],
)
TASKS = Gauge("whisper_operator_resources", "Resources that have a task of their own, by kind.", ["kind"])
WAITING = Gauge("whisper_operator_queue_length", "Resources whose bell has rung and that wait their turn.", ["kind"])
QUEUE_SECONDS = Histogram(
    "whisper_operator_queue_seconds",
    "From the first bell, a backoff or the resync to the look, by kind; a burst of bells is awaited for 0.2 s.",
    ["kind"],
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
OLDEST = Gauge(
    "whisper_operator_queue_oldest_seconds", "How long the resource that waits longest has waited, by kind.", ["kind"]
)
WATCHING = Gauge(
    "whisper_operator_watch_live",
    "1 while the watch of a kind of children is up to date, by kind and namespace (empty: all).",
    ["kind", "namespace"],
)
EVENTS = Counter(
    "whisper_operator_events_total", "Kubernetes Events by outcome: recorded, dropped (too many), failed.", ["outcome"]
)
EVENTS_WAITING = Gauge("whisper_operator_events_waiting", "Events that wait to be sent, at most 10 a second.")
WORKERS_WANTED = Gauge(
    "whisper_operator_workers_wanted",
    "Workers that the operator's own scaler has decided on, by WhisperTranscriber.",
    ["namespace", "name"],
)
LEADING = Gauge("whisper_operator_leader", "1 while this process holds the Lease.")
CONDITION = Gauge(
    "whisper_operator_condition",
    "Conditions of each WhisperTranscriber: 1 True, 0 False, -1 Unknown.",
    ["namespace", "name", "condition"],
)
