"""The operator and the transcriber share names of variables, never code: what one writes the other must read."""

from __future__ import annotations

import inspect
import os
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from whisper_operator.api.names import Env
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.migrate import migrate
from whisper_operator.plan.tuning import POOL
from whisper_transcriber.deps.catalogue import Catalogue, catalogue
from whisper_transcriber.objects import keyring
from whisper_transcriber.settings import PREFIX, InvalidSettings, Settings, load_settings
from whisper_transcriber.store.postgres import PostgresStore

SPECS: dict[str, dict[str, Any]] = {
    "empty": {},
    "external": {
        "postgres": {"external": {"secretRef": {"name": "pg", "key": "url"}}},
        "redis": {"external": {"secretRef": {"name": "redis"}}},
        "objects": {
            "external": {
                "endpoint": "https://s3.example.com/",
                "bucket": "audio",
                "region": "eu-central-1",
                "secretRef": {"name": "s3"},
            }
        },
    },
    "buckets": {
        "fetch": {
            "s3": [
                {"bucket": "calls", "endpoint": "https://minio.data.svc:9000", "secretRef": {"name": "calls"}},
                {"bucket": "lectures", "region": "eu-central-1", "tenants": ["university"]},
            ]
        },
        "output": {"s3": [{"bucket": "texts", "prefix": "2026/", "secretRef": {"name": "texts"}}, {"bucket": "open"}]},
    },
    "api": {
        "api": {"cors": {"allowedOrigins": ["https://app.example.com", "http://localhost:5173"]}},
        "retentionSeconds": 86400,
        "logLevel": "DEBUG",
        "fetch": {"timeoutSeconds": 60, "caSecretRef": {"name": "corporate"}},
        "tls": {"api": {"enabled": True}},
    },
    "encrypted": {"objects": {"encryption": {"readUnencrypted": True}}},
    "models": {
        "models": [
            {
                "name": "base",
                "aliases": ["b"],
                "computeType": "int8",
                "encoderInput": "full",
                "digest": "sha256:" + "a" * 64,
            },
            {"name": "hub", "source": {"huggingFace": {"repo": "a/b", "revision": "main"}}},
            {"name": "bucket", "source": {"s3": {"uri": "s3://models/own", "secretRef": {"name": "models"}}}},
            {"name": "claim", "source": {"pvc": {"claimName": "models", "path": "one/two"}}},
            {"name": "root", "source": {"pvc": {"claimName": "models"}}},
            {"name": "folder", "source": {"path": "/opt/model"}},
        ],
        "defaultModel": "b",
        "api": {
            "auth": {"enabled": False},
            "limits": {"maxUploadBytes": 4096, "maxAudioSeconds": 60, "maxQueueSeconds": 0},
        },
        "fetch": {"allowPrivateNetworks": True},
    },
}


def plan(spec: dict[str, Any]) -> list[Manifest]:
    """The whole plan, its migration done."""
    metadata = {"name": "main", "namespace": "speech", "uid": "1"}
    cr = WhisperTranscriber.parse({"metadata": metadata, "spec": spec})
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    job = migrate(cr, PlanSettings())["metadata"]["name"]
    return desired(cr, Observed(children={("Job", job): done}), PlanSettings())


def environment(manifests: list[Manifest], kind: str, component: str) -> dict[str, str]:
    """A container's environment as a kubelet would make it; what Secrets of the user hold is a word that says so."""
    objects = {(m["kind"], m["metadata"]["name"]): m for m in manifests}
    (workload,) = (
        m
        for m in manifests
        if m["kind"] == kind and m["metadata"]["labels"]["app.kubernetes.io/component"] == component
    )
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    values: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        values |= objects["ConfigMap", source["configMapRef"]["name"]]["data"]
    for variable in container["env"]:
        values[variable["name"]] = value(variable, objects)
    return values


def value(variable: dict[str, Any], objects: dict[tuple[str, str], Manifest]) -> str:
    if "value" in variable:
        return str(variable["value"])
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return str(source["fieldRef"]["fieldPath"])
    reference = source["secretKeyRef"]
    secret = objects.get(("Secret", reference["name"]))
    return b64decode(secret["data"][reference["key"]]).decode() if secret else f"user-{reference['key']}"


PODS = [("Deployment", "api"), ("Deployment", "worker"), ("Job", "migrate")]


# Settings without a field of a WhisperTranscriber, and why. Any of them can be set by spec.api.pod.env and
# spec.workers.pod.env.
WITHOUT_A_FIELD = {
    "the pod's own folders, which are mounted where these are": ("preloaded_models", "scratch"),
    "follows from the pod's resources": ("model_memory_bytes", "threads", "upload_memory_bytes"),
    "fits terminationGracePeriodSeconds": ("drain_seconds", "shutdown_seconds"),
    "how workers share work, measured": (
        *("claims", "part_seconds", "parts_ahead", "batch_ahead", "batch_windows", "lane_windows", "batch_seconds"),
        *("claim_lease_seconds", "poll_seconds", "max_failures", "sweep_seconds"),
    ),
    "part of the protocol that clients know": (
        *("upload_seconds", "synchronous_seconds", "retry_seconds", "file_seconds"),
        "batch_max_bytes",
        "batch_max_lines",
    ),
    "as Standard Webhooks has it": ("webhook_schedule", "webhook_timeout_seconds", "webhook_deliveries"),
}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parse an environment with the transcriber's own Settings."""

    def parse(values: dict[str, str]) -> Settings:
        for name in [*os.environ]:
            if name.startswith((PREFIX, "S3_SOURCE_")):
                monkeypatch.delenv(name)
        for name, text in values.items():
            monkeypatch.setenv(name, text)
        return load_settings()

    return parse


def known() -> set[str]:
    return {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}


def test_every_name_that_the_operator_knows_is_a_setting() -> None:
    assert {str(name) for name in Env} <= known()


def test_every_setting_is_set_by_the_operator_or_left_out_on_purpose() -> None:
    set_by_us = {
        name
        for spec in SPECS.values()
        for kind, component in PODS
        for name in environment(plan(spec), kind, component)
        if name.startswith(PREFIX)
    }
    left = [f"{PREFIX}{name.upper()}" for names in WITHOUT_A_FIELD.values() for name in names]
    assert len(left) == len(set(left))
    assert set_by_us | set(left) == known(), "give it a field, or say in WITHOUT_A_FIELD why it has none"
    assert not set_by_us & set(left)
    assert set_by_us == {str(name) for name in Env}


def test_what_a_field_leaves_out_is_what_the_transcriber_does_anyway(parsed: Any) -> None:
    settings, spec = parsed({}), WhisperTranscriber.parse({"metadata": {"name": "a", "namespace": "b"}}).spec
    assert settings.retention_seconds == spec.retention_seconds
    assert settings.log_level == spec.log_level
    assert settings.fetch_timeout_seconds == spec.fetch.timeout_seconds
    assert settings.cors_origins == ()


def test_retention_pages_and_the_like_arrive(parsed: Any) -> None:
    manifests = plan(SPECS["api"])
    api, worker = (parsed(environment(manifests, "Deployment", each)) for each in ("api", "worker"))
    assert api.cors_origins == ("https://app.example.com", "http://localhost:5173")
    assert worker.cors_origins == ()
    assert (worker.retention_seconds, worker.log_level, worker.fetch_timeout_seconds) == (86400, "DEBUG", 60)
    assert api.log_level == "DEBUG"
    assert api.tls_cert is not None and api.tls_key is not None


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize(("kind", "component"), PODS, ids=[c for _, c in PODS])
def test_no_variable_goes_unread(spec: dict[str, Any], kind: str, component: str, parsed: Any) -> None:
    values = environment(plan(spec), kind, component)
    assert {name for name in values if name.startswith(PREFIX)} <= known()
    settings = parsed(values)
    for secret in (settings.database_url, settings.redis_url, settings.s3_access_key, settings.s3_secret_key):
        assert secret.get_secret_value()


def test_the_defaults_arrive(parsed: Any) -> None:
    manifests = plan({})
    settings = parsed(environment(manifests, "Deployment", "api"))
    url = settings.database_url.get_secret_value()
    assert url.startswith("postgresql://whisper:")
    assert url.endswith("@main-postgres:5432/whisper")
    assert settings.redis_url.get_secret_value().endswith("@main-redis:6379/0")
    assert settings.s3_endpoint == "https://main-objects:7070"
    mounted = {m["mountPath"] for m in manifests[-2]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
    for file in (settings.database_ca, settings.redis_ca, settings.s3_ca):
        assert file is not None and str(file.parent) in mounted
    assert settings.redis_tls
    assert settings.api_key.get_secret_value().startswith("sk-")
    assert settings.public_url == "http://main-api.speech.svc"
    assert (settings.max_upload_bytes, settings.max_audio_seconds) == (2 * 1024**3, 43200)
    assert settings.max_queue_seconds == 3_600_000
    assert not settings.fetch_allow_private
    found: Catalogue = catalogue(settings)
    assert found.default.name == "base"
    worker = parsed(environment(manifests, "Deployment", "worker"))
    assert worker.worker_id == "metadata.name"
    assert len(worker.webhook_secret.get_secret_value()) == 64
    migrating = environment(manifests, "Job", "migrate")
    assert "WHISPER_WEBHOOK_SECRET" not in migrating
    mounts = {m["mountPath"] for m in manifests[-1]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert str(worker.model_cache) in mounts


def test_without_tls_nothing_is_verified(parsed: Any) -> None:
    settings = parsed(environment(plan({"tls": {"enabled": False}}), "Deployment", "api"))
    assert settings.s3_endpoint == "http://main-objects:7070"
    assert (settings.database_ca, settings.redis_ca, settings.s3_ca) == (None, None, None)
    assert settings.redis_tls is False


def test_what_the_user_chose_arrives(parsed: Any) -> None:
    settings = parsed(environment(plan(SPECS["external"]), "Deployment", "worker"))
    assert settings.database_url.get_secret_value() == "user-url"
    assert settings.redis_url.get_secret_value() == "user-uri"
    assert settings.s3_access_key.get_secret_value() == "user-access-key"
    assert (settings.s3_endpoint, settings.s3_bucket) == ("https://s3.example.com", "audio")
    assert settings.s3_region == "eu-central-1"


@pytest.mark.parametrize(("tls", "scheme"), [({"secretName": "certificate"}, "https"), (None, "http")])
def test_clients_come_through_the_ingress(parsed: Any, tls: dict[str, str] | None, scheme: str) -> None:
    ingress = {"host": "speech.example.com", **({"tls": tls} if tls else {})}
    settings = parsed(environment(plan({"api": {"ingress": ingress}}), "Deployment", "worker"))
    assert settings.public_url == f"{scheme}://speech.example.com"


def test_the_generated_keys_of_objects_are_keys(parsed: Any) -> None:
    for component in ("api", "worker"):
        settings = parsed(environment(plan(SPECS["encrypted"]), "Deployment", component))
        ring = keyring.parse(settings.objects_keys.get_secret_value())
        assert len(ring.keys[ring.first]) == 32
        assert settings.objects_read_unencrypted
        assert not parsed(environment(plan({}), "Deployment", component)).objects_keys.get_secret_value()
    given = {"objects": {"encryption": {"secretRef": {"name": "mine", "key": "ring"}}}}
    assert environment(plan(given), "Deployment", "worker")["WHISPER_OBJECTS_KEYS"] == "user-ring"
    assert not [m for m in plan(given) if m["kind"] == "Secret" and m["metadata"]["name"] == "main-objects-keys"]


def test_buckets_that_jobs_may_name_arrive_with_their_keys(parsed: Any) -> None:
    values = environment(plan(SPECS["buckets"]), "Deployment", "worker")
    assert "user-" not in values["WHISPER_S3_SOURCES"], "keys are in no list"
    calls, lectures = parsed(values).s3_sources
    assert (calls.bucket, calls.endpoint, calls.region) == ("calls", "https://minio.data.svc:9000", "us-east-1")
    assert calls.access_key.get_secret_value() == "user-access-key"
    assert calls.secret_key.get_secret_value() == "user-secret-key"
    assert (lectures.bucket, lectures.endpoint, lectures.region) == ("lectures", "", "eu-central-1")
    assert (lectures.tenants, lectures.access_key.get_secret_value()) == (("university",), "")
    assert parsed(environment(plan(SPECS["buckets"]), "Deployment", "api")).s3_sources == ()


def test_buckets_for_results_arrive_with_their_keys(parsed: Any) -> None:
    values = environment(plan(SPECS["buckets"]), "Deployment", "worker")
    assert "user-" not in values["WHISPER_S3_OUTPUTS"], "keys are in no list"
    texts, open_ = parsed(values).s3_outputs
    assert (texts.bucket, texts.prefix, texts.region, open_.prefix) == ("texts", "2026/", "us-east-1", "")
    assert texts.secret_key.get_secret_value() == "user-secret-key"
    assert open_.secret_key.get_secret_value() == ""
    assert parsed(environment(plan(SPECS["buckets"]), "Deployment", "api")).s3_outputs == ()


def test_keys_that_are_not_there_are_named(parsed: Any) -> None:
    values = environment(plan(SPECS["buckets"]), "Deployment", "worker")
    del values["S3_SOURCE_0_SECRET_KEY"]
    with pytest.raises(InvalidSettings, match=r"WHISPER_S3_SOURCES .*S3_SOURCE_0_SECRET_KEY must be set"):
        parsed(values)


def test_every_source_of_a_model_is_understood(parsed: Any) -> None:
    manifests = plan(SPECS["models"])
    values = environment(manifests, "Deployment", "worker")
    settings = parsed(values)
    found = catalogue(settings)
    assert found.default.name == "base"
    assert found.default.compute_type == "int8"
    assert found.default.encoder_input == "full"
    sources = {spec.name: spec.source for spec in found.specs if spec.source}
    assert sources["hub"].hugging_face is not None
    assert sources["hub"].hugging_face.repo == "a/b"
    assert sources["bucket"].s3 is not None
    assert values["AWS_ACCESS_KEY_ID"] == "user-access-key"
    worker = manifests[-1]["spec"]["template"]["spec"]["containers"][0]
    mounts = {mount["mountPath"] for mount in worker["volumeMounts"]}
    for name in ("claim", "root"):
        path = Path(str(sources[name].path))
        assert any(str(folder) in mounts for folder in (path, *path.parents))
    assert settings.fetch_allow_private
    assert (settings.max_upload_bytes, settings.max_audio_seconds, settings.max_queue_seconds) == (4096, 60, 0)
    api = parsed(environment(manifests, "Deployment", "api"))
    assert not api.api_key.get_secret_value()


def test_postgresql_has_room_for_the_pools_of_the_pods() -> None:
    assert inspect.signature(PostgresStore).parameters["connections"].default == POOL
