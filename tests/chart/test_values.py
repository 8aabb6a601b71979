"""Wrong values are refused, and the refusal names the value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.shell import CommandFailed

CHART = Path(__file__).parents[2] / "charts" / "whisper-operator"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("replica=3", "replica"),
        ("replicas=many", "replicas"),
        ("replicas=-1", "replicas"),
        ("image.tags=1", "tags"),
        ("image.pullPolicy=Sometimes", "image/pullPolicy"),
        ("image.digest=abc", "image/digest"),
        ("transcriber.images.pullSecrets={regcred}", "transcriber/images/pullSecrets/0"),
        ("watch.namespaces={Not_A_Name}", "watch/namespaces/0"),
        ("watch.namespaces=one", "watch/namespaces"),
        ("logLevel=LOUD", "logLevel"),
        ("resources.requests.memory=lots", "resources/requests/memory"),
        ("metrics.service.port=0", "metrics/service/port"),
        ("metrics.serviceMonitor.interval=often", "metrics/serviceMonitor/interval"),
        ("serviceAccount.create=false", "serviceAccount.name"),
        ("networkPolicy.egress.apiServer.ports={}", "networkPolicy/egress/apiServer/ports"),
        ("networkPolicy.metricsFrom[0].pods=all", "networkPolicy/metricsFrom/0"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Any, value: str, named: str) -> None:
    with pytest.raises(CommandFailed) as refusal:
        helm("template", "x", str(CHART), "--set", value)
    said = str(refusal.value).partition("\n")[2]  # the first line is the command itself
    assert named in said


# Their contents are Kubernetes' own, or the user's.
OPEN = {"affinity", "nodeSelector", "podAnnotations", "podLabels", "extraLabels", "serviceAccount.annotations"}
OPEN |= {"resources.requests", "resources.limits", "metrics.serviceMonitor.labels", "global"}


def test_every_value_is_in_the_schema_and_nothing_else_is() -> None:
    """Down to the leaves: one that is missing there could be misspelt unnoticed, one too many does nothing."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def differences(given: Any, known: Any, path: str) -> list[str]:
        if path in OPEN or not isinstance(given, dict):
            return []
        if known.get("additionalProperties") is not False:
            return [f"{path} takes anything"]
        properties = known["properties"]
        found = [f"{path}.{name}" for name in set(given) ^ set(properties) - {"global", "claims"}]
        both = set(given) & set(properties)
        return found + [d for n in both for d in differences(given[n], properties[n], f"{path}.{n}".lstrip("."))]

    assert differences(values, schema, "") == []


def test_every_comment_of_a_value_is_in_the_schema_too() -> None:
    """Editors show it there."""
    described = json.dumps(json.loads((CHART / "values.schema.json").read_text()), ensure_ascii=False)
    comments = [line.partition("# -- ")[2] for line in (CHART / "values.yaml").read_text().splitlines()]
    firsts = [comment for comment in comments if comment]
    assert len(firsts) > 25
    missing = [comment for comment in firsts if json.dumps(comment, ensure_ascii=False)[1:-1] not in described]
    assert missing == []
