"""The matrix of bad custom resources: what a person may get wrong, who says so, and how they find the field.

Most is refused by the API server. What only the cluster or the operator can know is taken, and reported in a condition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from services.resources import EXTERNAL, JOB, api_pod, network

# What the API server refuses, and a word of its answer by which a person finds the field.
REFUSED_TRANSCRIBERS: dict[str, tuple[Any, str]] = {
    "size": ({"postgres": {"managed": {"storage": "lots"}}}, "spec.postgres.managed.storage"),
    "size without unit": ({"redis": {"managed": {"storage": 8}}}, "spec.redis.managed.storage must be at least"),
    "negative": ({"workers": {"replicas": -1}}, "spec.workers.replicas"),
    "not a number": ({"workers": {"replicas": "two"}}, "spec.workers.replicas"),
    "enum": ({"deletionPolicy": "Maybe"}, "spec.deletionPolicy"),
    "the same bucket twice": (
        {"fetch": {"s3": [{"bucket": "calls"}, {"bucket": "calls"}]}},
        "spec.fetch.s3: duplicate",
    ),
    "a password in an endpoint": (
        {"fetch": {"s3": [{"bucket": "calls", "endpoint": "https://user:password@s3.example.com"}]}},
        "spec.fetch.s3[0].endpoint",
    ),
    "authorities of nobody": ({"fetch": {"caSecretRef": {"key": "ca.crt"}}}, "spec.fetch.caSecretRef.name"),
    "the same bucket for results twice": (
        {"output": {"s3": [{"bucket": "texts"}, {"bucket": "texts"}]}},
        "spec.output.s3: duplicate",
    ),
    "a page instead of an origin": (
        {"api": {"cors": {"allowedOrigins": ["https://app.example.com/page"]}}},
        "spec.api.cors.allowedOrigins[0]",
    ),
    "traces to nowhere": ({"tracing": {}}, "spec.tracing.endpoint"),
    "traces by another protocol": ({"tracing": {"endpoint": "grpc://collector:4317"}}, "spec.tracing.endpoint"),
    "a password in the collector's URL": (
        {"tracing": {"endpoint": "https://user:password@otlp.example.com"}},
        "spec.tracing.endpoint",
    ),
    "more than all traces": (
        {"tracing": {"endpoint": "http://collector:4318", "samplingRatio": 10}},
        "spec.tracing.samplingRatio",
    ),
    "a way to no collector": (
        {"networkPolicy": {"egress": {"tracing": {"ports": [4318]}}}},
        "spec.networkPolicy.egress.tracing is for a collector",
    ),
    "retention": ({"retentionSeconds": -1}, "spec.retentionSeconds"),
    "log level": ({"logLevel": "loud"}, "spec.logLevel"),
    "unknown field": ({"workerz": {}}, "workerz"),
    "unknown field within": ({"workers": {"pod": {"securityContext": {}}}}, "spec.workers.pod.securityContext"),
    "both databases": (
        {"postgres": {"managed": {}, "external": {"secretRef": {"name": "x"}}}},
        "spec.postgres takes either managed or external",
    ),
    "both queues": (
        {"redis": {"managed": {}, "external": {"secretRef": {"name": "x"}}}},
        "spec.redis takes either managed or external",
    ),
    "both stores": ({"objects": {"managed": {}, **EXTERNAL["objects"]}}, "spec.objects takes either"),
    "no secret named": ({"postgres": {"external": {}}}, "spec.postgres.external.secretRef"),
    "no scheme": (
        {"objects": {"external": {"endpoint": "s3.example.com", "bucket": "abc", "secretRef": {"name": "x"}}}},
        "spec.objects.external.endpoint",
    ),
    "no models": ({"models": []}, "spec.models"),
    "two models of one name": ({"models": [{"name": "base"}, {"name": "base"}]}, ".spec.models: duplicate"),
    "default is no model": ({"defaultModel": "small"}, "spec.defaultModel must be"),
    "alias is a model": (
        {"models": [{"name": "base", "aliases": ["small"]}, {"name": "small"}]},
        "spec.models[].aliases must not repeat",
    ),
    "alias twice": (
        {"models": [{"name": "base", "aliases": ["a"]}, {"name": "small", "aliases": ["a"]}]},
        "spec.models[].aliases must not give",
    ),
    "two sources": (
        {"models": [{"name": "own", "source": {"path": "/m", "s3": {"uri": "s3://models/own"}}}]},
        "spec.models[].source takes exactly one",
    ),
    "no source": ({"models": [{"name": "own", "source": {}}]}, "spec.models[].source takes exactly one"),
    "path upwards": ({"models": [{"name": "own", "source": {"path": "/m/../etc"}}]}, "spec.models[].source.path"),
    "no bucket": ({"models": [{"name": "own", "source": {"s3": {"uri": "http://x"}}}]}, "source.s3.uri"),
    "short digest": ({"models": [{"name": "base", "digest": "sha256:1234"}]}, "spec.models[0].digest"),
    "two engines": (
        {"models": [{"name": "base"}, {"name": "small", "engine": "openai-whisper"}]},
        "spec.models[].engine must be the same",
    ),
    "float16 without GPU": ({"models": [{"name": "base", "computeType": "float16"}]}, "float16 needs GPUs"),
    "GPU on CPU profile": ({"workers": {"resourceProfile": "cpu", "gpu": {"count": 1}}}, "spec.workers.gpu needs"),
    "slice without profile": (
        {"workers": {"resourceProfile": "amd", "gpu": {"mig": "1g.5gb"}}},
        "spec.workers.gpu.mig and spec.workers.resourceProfile nvidia-mig need each other",
    ),
    "profile without slice": ({"workers": {"resourceProfile": "nvidia-mig"}}, "need each other"),
    "no slice": ({"workers": {"gpu": {"mig": "half"}}}, "spec.workers.gpu.mig"),
    "cache of one node for many": (
        {"workers": {"replicas": 2, "modelCache": {}}},
        "spec.workers.modelCache.accessMode ReadWriteOnce binds a volume to one node",
    ),
    "cache of one node for many to come": (
        {"workers": {"autoscaling": {"max": 3}, "modelCache": {}}},
        "spec.workers.modelCache.accessMode ReadWriteOnce binds a volume to one node",
    ),
    "patch of something else": (api_pod(patch={"status": {}}), "spec.api.pod.patch"),
    "API fewest more than most": ({"api": {"autoscaling": {"min": 3, "max": 2}}}, "spec.api.autoscaling.min must not"),
    "no host": ({"api": {"ingress": {}}}, "spec.api.ingress.host"),
    "host with a scheme": ({"api": {"ingress": {"host": "https://a.b"}}}, "spec.api.ingress.host"),
    "relative path": ({"api": {"ingress": {"host": "a.b", "paths": ["v1"]}}}, "spec.api.ingress.paths[0]"),
    "no most": ({"workers": {"autoscaling": {"min": 1}}}, "spec.workers.autoscaling.max"),
    "fewest more than most": ({"workers": {"autoscaling": {"min": 3, "max": 2}}}, "autoscaling.min must not be more"),
    "a blind scaler from zero": (
        {"workers": {"autoscaling": {"provider": "hpa", "min": 0, "max": 2}}},
        "autoscaling.min must be at least 1 with provider hpa",
    ),
    "metrics for who asks": (
        {"workers": {"autoscaling": {"max": 2, "metrics": [{"type": "Resource"}]}}},
        "autoscaling.metrics are for provider hpa",
    ),
    "no GPU": ({"workers": {"gpu": {"count": 0}}}, "spec.workers.gpu.count"),
    "not a setting": ({"postgres": {"managed": {"parameters": {"Max Conn": "1"}}}}, "spec.postgres.managed.parameters"),
    "our setting": ({"postgres": {"managed": {"parameters": {"port": "1"}}}}, "cannot set listen_addresses, port"),
    "a setting of TLS": (
        {"postgres": {"managed": {"parameters": {"ssl_ciphers": "NULL"}}}},
        "who may connect and how is spec.tls's",
    ),
    "an archive of one's own": (
        {"postgres": {"managed": {"parameters": {"archive_command": "true"}}}},
        "backups and restores are the operator's",
    ),
    "no care for a crash": ({"postgres": {"managed": {"parameters": {"fsync": "off"}}}}, "would be lost"),
    "no log": ({"postgres": {"managed": {"parameters": {"logging_collector": "on"}}}}, "would lose the log"),
    "too little a log": ({"postgres": {"managed": {"parameters": {"wal_level": "minimal"}}}}, "wal_level to minimal"),
    "line break": ({"postgres": {"managed": {"parameters": {"a": "1'\nb = '2"}}}}, "spec.postgres.managed.parameters"),
    "our label": (api_pod(labels={"app.kubernetes.io/name": "x"}), "belong to the operator"),
    "bad label": (api_pod(labels={"a": "b c"}), "spec.api.pod.labels"),
    "variable twice": (
        api_pod(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        ".spec.api.pod.env: duplicate",
    ),
    "bad quantity": (api_pod(resources={"limits": {"memory": "1GB"}}), "spec.api.pod.resources.limits.memory"),
    "spaces in image": (api_pod(image="a b"), "spec.api.pod.image"),
    "nobody": (network(ingress={"api": [{}]}), "a peer takes either ipBlock, or podSelector"),
    "pods and addresses": (
        network(ingress={"metrics": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}),
        "a peer takes either ipBlock, or podSelector",
    ),
    "no network": (network(egress={"public": {"except": ["private"]}}), "spec.networkPolicy.egress.public.except"),
    "no port": (network(egress={"dns": {"ports": [70000]}}), "spec.networkPolicy.egress.dns.ports"),
    "way to a store of ours": (
        network(egress={"redis": {"ports": [6379]}}),
        "spec.networkPolicy.egress.redis is for one of yours",
    ),
    "no way to the hub": (
        {
            "models": [{"name": "own", "source": {"huggingFace": {"repo": "a/b"}}}],
            **network(egress={"public": {"enabled": False}}),
        },
        "spec.models[].source huggingFace and s3 must be reached",
    ),
    "ports of what is closed": (
        network(egress={"public": {"enabled": False, "ports": [443]}}),
        "spec.networkPolicy.egress.public: except and ports say nothing",
    ),
}
REFUSED_JOBS: dict[str, tuple[Any, str]] = {
    "no source": ({**JOB, "source": {}}, "spec.source takes exactly one"),
    "two sources": (
        {**JOB, "source": {**JOB["source"], "http": {"url": "http://a/b"}}},
        "spec.source takes exactly one",
    ),
    "no transcriber": ({"source": JOB["source"]}, "spec.transcriberRef"),
    "three sources": (
        {**JOB, "source": {**JOB["source"], "http": {"url": "http://a/b"}, "s3": {"url": "s3://calls/a"}}},
        "spec.source takes exactly one",
    ),
    "no object": ({**JOB, "source": {"s3": {"url": "s3://calls"}}}, "spec.source.s3.url"),
    "keys in a job": (
        {**JOB, "source": {"s3": {"url": "s3://calls/a", "secretRef": {"name": "mine"}}}},
        "spec.source.s3.secretRef",
    ),
    "no web address": ({**JOB, "source": {"http": {"url": "file:///etc/passwd"}}}, "spec.source.http.url"),
    "unknown format": ({**JOB, "formats": ["docx"]}, "spec.formats[0]"),
    "format twice": ({**JOB, "formats": ["srt", "srt"]}, ".spec.formats: duplicate"),
    "language in words": ({**JOB, "language": "English"}, "spec.language"),
    "unknown task": ({**JOB, "task": "sing"}, "spec.task"),
    "too urgent": ({**JOB, "priority": 101}, "spec.priority"),
    "too patient": ({**JOB, "priority": -101}, "spec.priority"),
    "two kinds of languages": ({**JOB, "language": "en", "languages": ["fr"]}, "spec.languages cannot be given beside"),
    "keyword twice": ({**JOB, "keywords": ["a", "a"]}, ".spec.keywords: duplicate"),
    "half a channel": ({**JOB, "channels": "left"}, "spec.channels"),
    "too hot": ({**JOB, "temperature": 1.5}, "spec.temperature"),
    "too sure": ({**JOB, "vad": {"threshold": 2}}, "spec.vad.threshold"),
    "too short a silence": ({**JOB, "vad": {"silenceDurationMs": 1}}, "spec.vad.silenceDurationMs"),
    "negative lifetime": ({**JOB, "ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
    "a bucket and no key": ({**JOB, "output": {"s3": {"url": "s3://texts"}}}, "spec.output.s3.url"),
    "a key that leads upwards": ({**JOB, "output": {"s3": {"url": "s3://texts/../a"}}}, "spec.output.s3.url"),
    "keys for the output in a job": (
        {**JOB, "output": {"s3": {"url": "s3://texts/a", "secretKey": "x"}}},
        "spec.output.s3.secretKey",
    ),
    "nobody to tell": ({**JOB, "webhook": {}}, "spec.webhook takes exactly one"),
    "two to tell": (
        {**JOB, "webhook": {"url": "http://a", "urlSecretRef": {"name": "a"}}},
        "spec.webhook takes exactly one",
    ),
    "no web address to tell": ({**JOB, "webhook": {"url": "mailto:a@b"}}, "spec.webhook.url"),
    "unknown end": ({**JOB, "webhook": {"url": "http://a", "events": ["done"]}}, "spec.webhook.events[0]"),
    "unknown field": ({**JOB, "hook": "http://x"}, "hook"),
}


class Reported(NamedTuple):
    """A spec that is taken and found wrong: the condition, its reason, and a word of its message."""

    spec: dict[str, Any]
    condition: str
    reason: str
    says: str


def redis_pod(**pod: Any) -> dict[str, Any]:
    """PodOptions of Redis."""
    return {"redis": {"managed": {"pod": pod}}}


def redis_container(**fields: Any) -> dict[str, Any]:
    """A patch of Redis' container."""
    return redis_pod(patch={"spec": {"containers": [{"name": "redis", **fields}]}})


def database(**external: Any) -> dict[str, Any]:
    """A database of the user's."""
    return {"postgres": {"external": external}}


# `half` is a Secret whose keys are empty, `whole` one in which every key that is asked for says `x`.
REPORTED_TRANSCRIBERS: dict[str, Reported] = {
    "no such database Secret": Reported(
        database(secretRef={"name": "gone"}), "DatabaseReady", "SecretNotFound", "spec.postgres.external.secretRef"
    ),
    "no such queue Secret": Reported(
        {"redis": EXTERNAL["redis"]}, "QueueReady", "SecretNotFound", "spec.redis.external.secretRef"
    ),
    "no such bucket Secret": Reported(
        {"objects": EXTERNAL["objects"]}, "ObjectsReady", "SecretNotFound", "spec.objects.external.secretRef"
    ),
    "no such authority": Reported(
        database(secretRef={"name": "whole", "key": "uri"}, caSecretRef={"name": "gone"}),
        "DatabaseReady",
        "SecretNotFound",
        "spec.postgres.external.caSecretRef",
    ),
    "empty key": Reported(
        database(secretRef={"name": "half", "key": "uri"}), "DatabaseReady", "SecretIncomplete", "has no key uri"
    ),
    "wrong key": Reported(
        database(secretRef={"name": "whole", "key": "dsn"}), "DatabaseReady", "SecretIncomplete", "has no key dsn"
    ),
    "no keys of the models' bucket": Reported(
        {"models": [{"name": "own", "source": {"s3": {"uri": "s3://models/own", "secretRef": {"name": "gone"}}}}]},
        "WorkersReady",
        "SecretNotFound",
        ".source.s3.secretRef",
    ),
    "nobody issues certificates": Reported(
        {"tls": {"certManager": {"issuerRef": {"name": "gone"}}}},
        "CertificatesReady",
        "CertManagerNotFound",
        "cert-manager",
    ),
    "patch without a name": Reported(
        redis_pod(patch={"spec": {"containers": [{"image": "redis"}]}}),
        "Ready",
        "InvalidSpec",
        "patch.spec.containers must be a list of objects, each with a name",
    ),
    "patch of an unknown field": Reported(redis_container(imagee="x"), "QueueReady", "ChildRejected", "imagee"),
    "patch of a wrong type": Reported(redis_container(args="serve"), "QueueReady", "ChildRejected", "args"),
    "patch with a bad port": Reported(
        redis_container(ports=[{"containerPort": 99999}]), "QueueReady", "ChildRejected", "containerPort"
    ),
    "affinity of a wrong type": Reported(
        redis_pod(affinity={"nodeAffinity": "fast"}), "QueueReady", "ChildRejected", "nodeAffinity"
    ),
    "spread without a measure": Reported(
        redis_pod(topologySpreadConstraints=[{"topologyKey": "zone"}]), "QueueReady", "ChildRejected", "maxSkew"
    ),
    "variable from nowhere": Reported(
        redis_pod(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}]),
        "QueueReady",
        "ChildRejected",
        "key",
    ),
    "variable of two minds": Reported(
        redis_pod(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        "QueueReady",
        "ChildRejected",
        "may not be specified when `value` is not empty",
    ),
    "more asked than allowed": Reported(
        redis_pod(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}),
        "QueueReady",
        "ChildRejected",
        "must be less than or equal to memory limit",
    ),
    "toleration of nothing": Reported(
        redis_pod(tolerations=[{"operator": "Equal", "value": "a"}]), "QueueReady", "ChildRejected", "tolerations"
    ),
    "selector that no label fits": Reported(
        redis_pod(nodeSelector={"a b": "c"}), "QueueReady", "ChildRejected", "nodeSelector"
    ),
    "annotation with spaces": Reported(redis_pod(annotations={"a b": "c"}), "QueueReady", "ChildRejected", "a b"),
    "peers that no label fits": Reported(
        network(ingress={"api": [{"podSelector": {"matchLabels": {"a b": "c"}}}]}),
        "ApiReady",
        "ChildRejected",
        "NetworkPolicy",
    ),
}
REPORTED_JOBS: dict[str, Reported] = {
    "no such transcriber": Reported(
        {"transcriberRef": {"name": "gone"}, "source": {"http": {"url": "http://a/b"}}},
        "Succeeded",
        "WaitingForTranscriber",
        "WhisperTranscriber gone does not exist",
    ),
    "no such ConfigMap": Reported(JOB, "Succeeded", "SourceNotFound", "ConfigMap clip does not exist"),
    "no such clip in it": Reported(
        {**JOB, "source": {"configMap": {"name": "clips", "key": "gone.wav"}}},
        "Succeeded",
        "SourceNotFound",
        "ConfigMap clips has no key gone.wav",
    ),
}
