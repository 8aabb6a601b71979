"""What KEDA is asked for is valid, by its own definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import testbed
from services.keda import define
from services.kubectl import Api
from unit.operator_plan.plans import transcriber
from whisper_operator.plan.common import Manifest, Observed
from whisper_operator.plan.scalers import scalers

KINDS = ("ScaledObject", "TriggerAuthentication")
KEYLESS = {"api": {"auth": {"enabled": False}}}


@pytest.fixture(scope="module")
def keda() -> Iterator[Api]:
    """An API server of this file's own, with KEDA's definitions: other tests want one without them."""
    with testbed.light_control_plane() as kubeconfig:
        api = Api(kubeconfig, "speech")
        define(api)
        api.do("create", "namespace", "speech")
        yield api


def asked(**spec: Any) -> dict[str, Manifest]:
    """What KEDA is asked for, by kind."""
    cr = transcriber(workers={"autoscaling": {"provider": "keda", "min": 0, "max": 4}}, **spec)
    return {made["kind"]: made for made in scalers(cr, Observed(served=frozenset(KINDS)))}


@pytest.mark.parametrize("spec", [{}, {"tls": {"api": {"enabled": True}}}, KEYLESS], ids=["keys", "TLS", "no keys"])
def test_to_the_letter(keda: Api, spec: dict[str, Any]) -> None:
    made = asked(**spec)
    assert set(made) == {"ScaledObject", *(() if spec == KEYLESS else ("TriggerAuthentication",))}
    for manifest in made.values():
        keda.apply(manifest, "--dry-run=server")


def test_what_keda_does_not_know_is_refused(keda: Api) -> None:
    made = asked()["ScaledObject"]
    made["spec"]["fallback"]["behaviour"] = "static"
    assert "spec.fallback.behaviour" in keda.refusal(made)
