"""Random resources: every optional part is there or not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

text = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
pods = st.fixed_dictionaries(
    {},
    optional={
        "image": text.map("registry.example.com/{}:1".format),
        "labels": st.dictionaries(text, text, max_size=2),
        "annotations": st.dictionaries(text, text, max_size=2),
        "nodeSelector": st.dictionaries(text, text, max_size=2),
        "env": st.sets(text, max_size=3).map(lambda found: [{"name": f"X{n}", "value": n} for n in sorted(found)]),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "requests": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from([1, "2Gi", "0.5"])),
                "limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["64Mi", 4, "8Gi"])),
            },
        ),
        "priorityClassName": text,
        "runtimeClassName": text,
        "imagePullSecrets": st.lists(text.map(lambda n: {"name": n}), max_size=2),
    },
)
managed = st.fixed_dictionaries({}, optional={"storage": st.sampled_from(["1Gi", "300Mi", "2T"]), "pod": pods})
secret = st.fixed_dictionaries({"secretRef": st.fixed_dictionaries({"name": text})})
external_objects = st.fixed_dictionaries(
    {"endpoint": st.just("https://s3"), "bucket": st.just("abc"), "secretRef": st.fixed_dictionaries({"name": text})}
)
bucket: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"bucket": text.map("b-{}-x".format)},
    optional={
        "endpoint": st.sampled_from(["https://s3.example.com", "http://minio.data.svc:9000", "http://10.0.0.9:9000"]),
        "secretRef": st.fixed_dictionaries({"name": text}),
        "tenants": st.lists(text, max_size=2, unique=True),
    },
)
encrypted: st.SearchStrategy[Any] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"encryption": st.one_of(st.just({}), st.just({"readUnencrypted": True}), secret)}),
)


def either(external: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.just({}), st.fixed_dictionaries({"managed": managed}), st.fixed_dictionaries({"external": external})
    )


specs = st.fixed_dictionaries(
    {},
    optional={
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
        "version": text,
        "images": st.fixed_dictionaries({}, optional={"registry": text, "tag": text}),
        "models": st.lists(
            st.fixed_dictionaries({"name": text}), min_size=1, max_size=3, unique_by=lambda m: m["name"]
        ),
        "workers": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 5),
                "autoscaling": st.fixed_dictionaries(
                    {"min": st.integers(1, 2), "max": st.integers(2, 9)},
                    optional={"provider": st.sampled_from(["operator", "keda", "hpa"])},
                ),
                "gpu": st.fixed_dictionaries({"count": st.integers(1, 4)}),
                "pod": pods,
            },
        ),
        "api": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 3),
                "cors": st.just({"allowedOrigins": ["https://app.example.com"]}),
                "pod": pods,
            },
        ),
        "retentionSeconds": st.integers(0, 10**6),
        "fetch": st.fixed_dictionaries(
            {}, optional={"s3": st.lists(bucket, max_size=3, unique_by=lambda b: str(b["bucket"]))}
        ),
        "tracing": st.fixed_dictionaries(
            {
                "endpoint": st.sampled_from(
                    ["https://otlp.example.com/otlp", "http://c.data.svc:4318", "http://10.0.0.9"]
                )
            },
            optional={"samplingRatio": st.sampled_from([0, 0.25, 1]), "headersSecretRef": st.just({"name": "headers"})},
        ),
        "postgres": either(secret),
        "redis": either(secret),
        "objects": st.builds(lambda store, more: {**store, **more}, either(external_objects), encrypted),
    },
)
