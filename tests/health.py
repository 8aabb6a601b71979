"""What tools that deploy think of our objects: kstatus (Flux and others) and Argo CD, each by its own code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from testbed import own

ARGO = Path(__file__).parents[1] / "docs" / "argo-cd" / "argocd-cm.yaml"


class Health(NamedTuple):
    """kstatus' word (InProgress, Current, Failed, Terminating), Argo CD's (Progressing, Healthy, Degraded, Suspended),
    and what Argo CD says beside it."""

    kstatus: str
    argo: str
    message: str


def health(resource: Mapping[str, Any]) -> Health:
    """What both think of one of our objects as it came from an API server."""
    scripts = yaml.safe_load(ARGO.read_text())["data"]
    lua = scripts[f"resource.customizations.health.whisper-operator.dev_{resource['kind']}"]
    asked = json.dumps({"object": resource, "lua": lua})
    done = subprocess.run([own.health()], input=asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return Health(answer["kstatus"]["status"], answer["argo"]["status"], answer["argo"]["message"])
