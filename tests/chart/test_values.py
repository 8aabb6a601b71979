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


def test_every_value_is_in_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(values) | {"global"} == set(schema["properties"])
