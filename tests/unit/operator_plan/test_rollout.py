"""Pods roll when the values that they take from Secrets change, and for nothing else about Secrets."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from unit.operator_plan.plans import PLAN, by_name, counting, migrated, transcriber
from whisper_operator.api import names
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.plan import Manifest, Observed, desired, named
from whisper_operator.plan.rollout import Use, digest

Values = dict[str, dict[str, str]]
POSTGRES, REDIS, OBJECTS = (("StatefulSet", f"main-{name}") for name in ("postgres", "redis", "objects"))
API, WORKER = ("Deployment", "main-api"), ("Deployment", "main-worker-blue")


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def first(cr: WhisperTranscriber) -> tuple[Values, list[Manifest]]:
    """The Secrets that are made at first, and the plan that made them."""
    plan = desired(cr, migrated(cr), PLAN, counting())
    return {m["metadata"]["name"]: dict(m["data"]) for m in plan if m["kind"] == "Secret"}, plan


def later(cr: WhisperTranscriber, values: Values, live: list[Manifest]) -> list[Manifest]:
    """The plan once the Secrets are there, with these values."""
    children = {**by_name(live), **migrated(cr).children}
    return desired(cr, Observed(frozenset(values), children, values), PLAN)


def marks(plan: list[Manifest]) -> dict[tuple[str, str], str]:
    return {
        (m["kind"], m["metadata"]["name"]): m["spec"]["template"]["metadata"]["annotations"][names.SECRETS_CHECKSUM]
        for m in plan
        if m["kind"] in ("Deployment", "StatefulSet")
    }


def rolled(cr: WhisperTranscriber, before: Values, after: Values, plan: list[Manifest]) -> set[tuple[str, str]]:
    old, new = marks(later(cr, before, plan)), marks(later(cr, after, plan))
    return {key for key in old if old[key] != new[key]}


def with_value(values: Values, secret: str, key: str, text: str) -> Values:
    return {**values, secret: {**values.get(secret, {}), key: b64(text)}}


def test_pods_do_not_roll_after_their_secrets_were_made() -> None:
    cr = transcriber()
    values, plan = first(cr)
    assert marks(plan).keys() == {POSTGRES, REDIS, OBJECTS, API, WORKER}
    assert marks(later(cr, values, plan)) == marks(plan)


def test_a_changed_value_rolls_the_pods_that_use_it_and_no_others() -> None:
    cr = transcriber()
    values, plan = first(cr)

    def change(secret: str, key: str) -> set[tuple[str, str]]:
        return rolled(cr, values, with_value(values, secret, key, "new"), plan)

    assert change("main-postgres", "password") == {POSTGRES}
    assert change("main-postgres", "uri") == {API, WORKER}
    assert change("main-objects", "secret-key") == {OBJECTS, API, WORKER}
    assert change("main-api-key", "api-key") == {API}
    assert change("main-webhooks", "secret") == {API, WORKER}
    assert change("main-postgres", "somebody-elses") == set()


def test_a_rotated_secret_of_the_user_rolls_the_pods_but_migrates_nothing() -> None:
    cr = transcriber(
        postgres={"external": {"secretRef": {"name": "pg", "key": "url"}}},
        models=[{"name": "own", "source": {"s3": {"uri": "s3://models/own", "secretRef": {"name": "models"}}}}],
    )
    values, plan = first(cr)
    values |= {"pg": {"url": b64("a")}, "models": {"access-key": b64("a"), "secret-key": b64("b")}}
    changed = with_value(values, "pg", "url", "b")
    assert rolled(cr, values, changed, plan) == {API, WORKER}
    assert rolled(cr, values, with_value(values, "models", "secret-key", "c"), plan) == {WORKER}
    jobs = [[m for m in later(cr, v, plan) if m["kind"] == "Job"] for v in (values, changed)]
    assert jobs[0] == jobs[1]


def variable(secret: str, **more: Any) -> dict[str, Any]:
    return {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "token", **more}}}


def test_secrets_in_the_users_own_environment_count_too() -> None:
    cr = transcriber(workers={"pod": {"env": [variable("hub")]}}, api={"pod": {"env": [variable("hub")]}})
    assert named(cr.spec) == ["hub"]
    values, plan = first(cr)
    values |= {"hub": {"token": b64("a")}}
    assert rolled(cr, values, with_value(values, "hub", "token", "b"), plan) == {API, WORKER}


def test_an_optional_secret_rolls_the_pods_when_it_comes() -> None:
    cr = transcriber(workers={"pod": {"env": [variable("hub", optional=True)]}})
    values, plan = first(cr)
    assert rolled(cr, values, with_value(values, "hub", "token", "a"), plan) == {WORKER}


def test_what_runs_is_not_rolled_into_a_secret_that_is_gone_or_incomplete() -> None:
    cr = transcriber(postgres={"external": {"secretRef": {"name": "pg"}}})
    values, plan = first(cr)
    values |= {"pg": {"uri": b64("a")}}
    running = later(cr, values, plan)
    for broken in ({}, {"uri": ""}, {"url": b64("a")}):
        assert marks(later(cr, {**values, "pg": broken}, running)) == marks(running)
    assert marks(later(cr, {k: v for k, v in values.items() if k != "pg"}, running)) == marks(running)
    lost = {**values, "main-rollout": {}}
    assert marks(later(cr, lost, running)) == marks(running)


def test_the_hash_says_nothing_without_its_key() -> None:
    used, values = [Use("pg", "uri")], {"pg": {"uri": b64("secret")}}
    assert digest("one", used, values) != digest("two", used, values)


def test_the_hash_is_the_same_for_ever() -> None:
    """Another result would restart every pod of every transcriber when the operator is upgraded."""
    assert digest("a2V5", [Use("pg", "uri")], {"pg": {"uri": "dmFsdWU="}}) == "4147447d47d591e6"


def test_no_value_is_shown_where_observations_are_printed() -> None:
    assert b64("secret") not in repr(Observed(values={"pg": {"uri": b64("secret")}}))
