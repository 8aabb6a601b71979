"""Custom resources to send to an API server: good ones, and those that a person may get wrong."""

from __future__ import annotations

from typing import Any

from whisper_operator.api.names import API_VERSION


def transcriber(spec: Any = None, name: str = "main") -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "WhisperTranscriber",
        "metadata": {"name": name},
        **({} if spec is None else {"spec": spec}),
    }


JOB: dict[str, Any] = {
    "transcriberRef": {"name": "main"},
    "source": {"configMap": {"name": "clip", "key": "clip.wav"}},
}


def job(spec: Any, name: str = "clip") -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "TranscriptionJob", "metadata": {"name": name}, "spec": spec}


LABELLED = {"key": "app", "operator": "In", "values": ["prometheus", "agent"]}
FULL: dict[str, Any] = {
    "version": "0.1.0",
    "deletionPolicy": "Delete",
    "retentionSeconds": 86400,
    "logLevel": "WARNING",
    "images": {"registry": "registry.example.com", "pullSecrets": [{"name": "pull"}]},
    "models": [
        {"name": "large-v3-turbo", "aliases": ["large"], "computeType": "float16"},
        {"name": "own", "source": {"s3": {"uri": "s3://models/own", "secretRef": {"name": "models"}}}},
        {"name": "kept", "source": {"pvc": {"claimName": "models", "path": "kept"}}, "digest": "sha256:" + "0" * 64},
    ],
    "defaultModel": "large",
    "workers": {
        "replicas": 2,
        "autoscaling": {"min": 0, "max": 8, "targetWaitSeconds": 30, "scaleInAfterSeconds": 600},
        "gpu": {"count": 1},
        "modelCache": {"size": "20Gi", "accessMode": "ReadWriteMany", "storageClassName": "nfs"},
        "pod": {
            "resources": {"requests": {"cpu": 2, "memory": "8192Mi"}, "limits": {"memory": "16Gi"}},
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}],
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]},
                        }
                    ]
                }
            },
            "env": [
                {"name": "HF_ENDPOINT", "value": "https://hub.example.com"},
                {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
            ],
            "annotations": {"example.com/a": "b"},
            "labels": {"team": "speech"},
            "runtimeClassName": "nvidia",
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "patch": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["hub.example.com"]}]}},
        },
    },
    "api": {
        "replicas": 3,
        "auth": {"enabled": False},
        "limits": {"maxUploadBytes": 1048576},
        "cors": {"allowedOrigins": ["https://app.example.com", "*"]},
        "autoscaling": {"min": 2, "max": 6, "cpuPercent": 150},
        "ingress": {
            "host": "speech.example.com",
            "className": "nginx",
            "paths": ["/v1"],
            "tls": {"secretName": "speech-tls"},
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "0"},
        },
    },
    "monitoring": {"intervalSeconds": 15, "labels": {"release": "prometheus"}},
    "postgres": {"managed": {"storage": "20Gi", "storageClassName": "fast", "parameters": {"max_connections": "200"}}},
    "redis": {"managed": {"maxMemory": "256Mi"}},
    "objects": {"managed": {"storage": "200Gi"}},
    "fetch": {
        "allowPrivateNetworks": True,
        "s3": [
            {"bucket": "calls", "endpoint": "https://minio.data.svc:9000", "secretRef": {"name": "calls"}},
            {"bucket": "lectures", "region": "eu-central-1", "tenants": ["university"]},
        ],
    },
    "networkPolicy": {
        "ingress": {
            "api": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}],
            "metrics": [{"namespaceSelector": {}, "podSelector": {"matchExpressions": [LABELLED]}}],
        },
        "egress": {
            "dns": {"ports": [53, 5353]},
            "public": {"except": ["8.8.8.0/24", "2620:0:860::/46"], "ports": [443]},
            "workers": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [9000]}],
        },
    },
}
EXTERNAL: dict[str, Any] = {
    "postgres": {"external": {"secretRef": {"name": "pg", "key": "url"}}},
    "redis": {"external": {"secretRef": {"name": "redis"}}},
    "objects": {"external": {"endpoint": "https://s3.example.com", "bucket": "whisper", "secretRef": {"name": "s3"}}},
    "networkPolicy": {"egress": {"postgres": {"to": [{"ipBlock": {"cidr": "10.0.0.5/32"}}], "ports": [5432]}}},
}


def api_pod(**pod: Any) -> dict[str, Any]:
    """PodOptions of the API."""
    return {"api": {"pod": pod}}


def network(**policy: Any) -> dict[str, Any]:
    """NetworkPolicies."""
    return {"networkPolicy": policy}


# What a person may get wrong, and a word of the answer by which they find it.
BAD_TRANSCRIBERS: dict[str, tuple[Any, str]] = {
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
    "a page instead of an origin": (
        {"api": {"cors": {"allowedOrigins": ["https://app.example.com/page"]}}},
        "spec.api.cors.allowedOrigins[0]",
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
BAD_JOBS: dict[str, tuple[Any, str]] = {
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
    "nobody to tell": ({**JOB, "webhook": {}}, "spec.webhook takes exactly one"),
    "two to tell": (
        {**JOB, "webhook": {"url": "http://a", "urlSecretRef": {"name": "a"}}},
        "spec.webhook takes exactly one",
    ),
    "no web address to tell": ({**JOB, "webhook": {"url": "mailto:a@b"}}, "spec.webhook.url"),
    "unknown end": ({**JOB, "webhook": {"url": "http://a", "events": ["done"]}}, "spec.webhook.events[0]"),
    "unknown field": ({**JOB, "hook": "http://x"}, "hook"),
}
