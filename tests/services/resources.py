"""Good custom resources to send to an API server."""

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
