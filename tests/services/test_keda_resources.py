"""What KEDA is asked for is valid, by its own definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import testbed
from services.kubectl import Api
from testbed import binaries, recipes
from unit.operator_plan.plans import transcriber
from whisper_operator.plan.common import Manifest, Observed
from whisper_operator.plan.scalers import scalers

KINDS = ("ScaledObject", "TriggerAuthentication")
KEYLESS = {"api": {"auth": {"enabled": False}}}


@pytest.fixture(scope="module")
def keda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API server of this file's own, with KEDA's definitions: other tests want one without them."""
    folder = binaries.sources(*recipes.KEDA) / "config" / "crd"
    with testbed.light_control_plane() as kubeconfig:
        api = Api(kubeconfig, "speech")
        listed = list(yaml.safe_load_all(api.do("kustomize", str(folder))))
        definitions = {"apiVersion": "v1", "kind": "List", "items": listed}
        api.do("apply", "--server-side", "--filename=-", manifest=definitions)
        for kind in KINDS:
            name = f"crd/{kind.lower()}s.keda.sh"
            # The names first: while a CRD has no conditions at all, kubectl fails at waiting for one.
            for state in (f"jsonpath={{.status.acceptedNames.kind}}={kind}", "condition=Established"):
                api.do("wait", f"--for={state}", name, "--timeout=30s")
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
