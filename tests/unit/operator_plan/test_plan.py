"""What the plan promises about every manifest, whatever the resource says."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.operator_plan.plans import COMPLETE, PLAN, breaches, by_name, templates, transcriber, whole
from unit.operator_plan.strategies import specs
from whisper_operator.api import names
from whisper_operator.plan import Manifest, Observed, desired
from whisper_operator.plan.migrate import migrate


@given(spec=specs, name=st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_plan_keeps_the_promises(spec: dict[str, Any], name: str) -> None:
    cr = transcriber(name, **spec)
    plan = whole(cr)

    assert plan == whole(cr), "the same resource gives the same plan"
    assert json.loads(json.dumps(plan)) == plan, "plain JSON values only"
    assert len(by_name(plan)) == len(plan), "one manifest a child"
    secrets = [
        b64decode(v).decode() for m in plan if m["kind"] == "Secret" for k, v in m["data"].items() if k != "username"
    ]
    rest = json.dumps([m for m in plan if m["kind"] != "Secret"])
    assert not [value for value in secrets if value in rest], "secret values are in Secrets alone"
    for manifest in plan:
        metadata = manifest["metadata"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", metadata["name"])
        assert metadata["namespace"] == "speech"
        assert metadata["labels"][names.LABEL_TRANSCRIBER] == name
        owners = metadata.get("ownerReferences", [])
        kept = manifest["kind"] in ("Secret", "PersistentVolumeClaim") and cr.spec.deletion_policy == "Retain"
        assert [owner["uid"] for owner in owners] == ([] if kept else ["uid-1"])
    accounts = {m["metadata"]["name"] for m in plan if m["kind"] == "ServiceAccount"}
    for template in templates(plan):
        assert breaches(template) == []
        spec_ = template["spec"]
        assert spec_["serviceAccountName"] in accounts
        assert spec_["automountServiceAccountToken"] is False
        assert spec_["enableServiceLinks"] is False
        assert {v["name"] for v in spec_["volumes"]} >= {
            m["name"] for m in spec_["containers"][0]["volumeMounts"] if m["name"] != names.DATA_VOLUME
        }
        assert len({v["name"] for v in spec_["containers"][0].get("env", [])}) == len(
            spec_["containers"][0].get("env", [])
        )
        assert template["metadata"]["labels"][names.LABEL_TRANSCRIBER] == name


def test_an_empty_spec_is_a_whole_service() -> None:
    assert list(by_name(whole(transcriber()))) == [
        ("ServiceAccount", "main-api"),
        ("ServiceAccount", "main-worker"),
        ("ServiceAccount", "main-data"),
        ("ConfigMap", "main-config"),
        *(("NetworkPolicy", f"main-{c}") for c in ("api", "worker", "migrate", "postgres", "redis", "objects")),
        ("NetworkPolicy", "main-default-deny"),
        ("Secret", "main-postgres"),
        ("Secret", "main-redis"),
        ("Secret", "main-objects"),
        ("Secret", "main-api-key"),
        ("Secret", "main-webhooks"),
        ("Secret", "main-rollout"),
        ("ConfigMap", "main-postgres"),
        ("Service", "main-postgres"),
        ("StatefulSet", "main-postgres"),
        ("Service", "main-redis"),
        ("StatefulSet", "main-redis"),
        ("Service", "main-objects"),
        ("StatefulSet", "main-objects"),
        ("Service", "main-api"),
        ("Job", migrate(transcriber(), PLAN)["metadata"]["name"]),
        ("Deployment", "main-api"),
        ("Deployment", "main-worker-blue"),
    ]


def test_external_stores_bring_no_children() -> None:
    cr = transcriber(
        postgres={"external": {"secretRef": {"name": "pg"}}},
        redis={"external": {"secretRef": {"name": "redis"}}},
        objects={"external": {"endpoint": "https://s3", "bucket": "abc", "secretRef": {"name": "s3"}}},
    )
    kinds = [m["kind"] for m in whole(cr)]
    assert "StatefulSet" not in kinds
    secrets = [m["metadata"]["name"] for m in whole(cr) if m["kind"] == "Secret"]
    assert secrets == ["main-api-key", "main-webhooks", "main-rollout"]
    assert ("ServiceAccount", "main-data") not in by_name(whole(cr))


def test_the_default_fits_a_small_node() -> None:
    requests = [pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in templates(whole(transcriber()))]
    assert sum(int(cpu.removesuffix("m")) for cpu in requests) < 1000


def test_the_migration_waits_for_the_database_and_at_first_pods_start_beside_both() -> None:
    cr = transcriber(workers={"autoscaling": {"provider": "hpa", "min": 1, "max": 2}})
    job, api = ("Job", migrate(cr, PLAN)["metadata"]["name"]), ("Deployment", "main-api")
    database, scaler = ("StatefulSet", "main-postgres"), ("HorizontalPodAutoscaler", "main-worker")
    children: dict[tuple[str, str], Any] = {database: {"status": {"replicas": 1}}}
    first = by_name(desired(cr, Observed(children=children), PLAN))
    assert job not in first, "the database does not answer yet"
    assert {api, ("Deployment", "main-worker-blue")} <= first.keys()
    assert scaler not in first, "nobody answers whom it could ask"
    children |= {database: {"status": {"readyReplicas": 1}}, api: first[api]}
    second = by_name(desired(cr, Observed(children=children), PLAN))
    assert {job, api} <= second.keys(), "they wait for this very Job"
    assert scaler in by_name(desired(cr, Observed(children={**children, job: COMPLETE}), PLAN))


def test_pods_of_a_new_version_wait_for_the_migration() -> None:
    old, cr = transcriber(), transcriber(version="0.2.0")
    job, api = ("Job", migrate(cr, PLAN)["metadata"]["name"]), ("Deployment", "main-api")
    children = {("StatefulSet", "main-postgres"): {"status": {"readyReplicas": 1}}, api: by_name(whole(old))[api]}
    assert api not in by_name(desired(cr, Observed(children=children), PLAN))
    failed = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert api not in by_name(desired(cr, Observed(children={**children, job: failed}), PLAN))
    assert api in by_name(desired(cr, Observed(children={**children, job: COMPLETE}), PLAN))


def test_pods_wait_for_the_migration_of_an_external_database() -> None:
    cr = transcriber(postgres={"external": {"secretRef": {"name": "pg", "key": "dsn"}}})
    job, api = ("Job", migrate(cr, PLAN)["metadata"]["name"]), ("Deployment", "main-api")
    values = {"pg": {"dsn": "eA=="}}
    assert api not in by_name(desired(cr, Observed(values=values), PLAN))
    assert api in by_name(desired(cr, Observed(values=values, children={job: COMPLETE}), PLAN))


def test_the_migration_waits_for_the_secrets_of_external_stores() -> None:
    cr = transcriber(
        postgres={"external": {"secretRef": {"name": "pg", "key": "dsn"}}},
        redis={"external": {"secretRef": {"name": "queue", "key": "url"}}},
    )
    job = ("Job", migrate(cr, PLAN)["metadata"]["name"])
    queue = {"queue": {"url": "eA=="}}
    for values, there in (
        ({}, False),
        ({"pg": {"dsn": "eA=="}}, False),
        ({"pg": {"uri": "eA=="}, **queue}, False),
        ({"pg": {"dsn": "eA=="}, **queue}, True),
    ):
        assert (job in by_name(desired(cr, Observed(values=values), PLAN))) is there
    assert job in by_name(desired(cr, Observed(children={job: {}}), PLAN)), "once made it stays"


def test_a_new_version_migrates_again_and_a_new_setting_does_not() -> None:
    old = transcriber()
    for same in (transcriber(workers={"replicas": 3}), transcriber(models=[{"name": "small"}])):
        assert migrate(same, PLAN)["metadata"]["name"] == migrate(old, PLAN)["metadata"]["name"]
    for other in (transcriber(version="0.2.0"), transcriber(postgres={"external": {"secretRef": {"name": "pg"}}})):
        assert migrate(other, PLAN)["metadata"]["name"] != migrate(old, PLAN)["metadata"]["name"]


def test_secrets_are_made_once() -> None:
    cr = transcriber()
    plan = desired(cr, Observed(secrets=frozenset({"main-postgres", "main-api-key"})), PLAN)
    assert [m["metadata"]["name"] for m in plan if m["kind"] == "Secret"] == [
        "main-redis",
        "main-objects",
        "main-webhooks",
        "main-rollout",
    ]
    first, second = (
        {m["metadata"]["name"]: m["data"] for m in desired(cr, Observed(), PLAN) if m["kind"] == "Secret"}
        for _ in range(2)
    )
    assert first["main-api-key"] != second["main-api-key"], "the dice are real"


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_volumes_follow_the_deletion_policy(policy: str) -> None:
    for manifest in whole(transcriber(deletionPolicy=policy)):
        if manifest["kind"] == "StatefulSet":
            retention = manifest["spec"]["persistentVolumeClaimRetentionPolicy"]
            assert retention == {"whenDeleted": policy, "whenScaled": "Retain"}
            (claim,) = manifest["spec"]["volumeClaimTemplates"]
            assert claim["metadata"]["name"] == "data"
            assert "ownerReferences" not in claim["metadata"]


def test_a_volume_grows_with_its_claim() -> None:
    cr = transcriber(postgres={"managed": {"storage": "16Gi"}})
    key = ("PersistentVolumeClaim", "data-main-postgres-0")

    def plan(size: str, phase: str = "Bound") -> dict[tuple[str, str], Manifest]:
        live = {"spec": {"resources": {"requests": {"storage": size}}}, "status": {"phase": phase}}
        return by_name(desired(cr, Observed(children={key: live}), PLAN))

    assert plan("8Gi")[key]["spec"] == {"resources": {"requests": {"storage": "16Gi"}}}
    assert "ownerReferences" not in plan("8Gi")[key]["metadata"]
    assert key not in plan("8Gi", "Pending"), "the API server refuses to change it before it is bound"
    assert key not in plan("16Gi")
    assert key not in plan("17179869184")
    assert key not in by_name(whole(cr))
