"""The chart, rendered by Helm, and Helm and kubectl against an API server without a node."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import binaries, light_control_plane, recipes
from testbed.shell import run

CHART = Path(__file__).parents[2] / "charts" / "whisper-operator"
Run = Callable[..., str]
Render = Callable[..., list[dict[str, Any]]]


def _run(program: Path, *words: str, input: str | None = None, kubeconfig: Path | None = None) -> str:
    """Standard output; raises CommandFailed with what the program said."""
    return run([program, *words], input=input, env={**os.environ, "KUBECONFIG": str(kubeconfig or os.devnull)})


@pytest.fixture(scope="session")
def helm() -> Run:
    """Helm without a cluster: `helm("lint", …)` returns what it printed, or raises with what it said."""
    binaries.ensure(recipes.HELM)
    return lambda *words: _run(recipes.HELM.program("helm"), *words)


@pytest.fixture(scope="session")
def render(helm: Run) -> Render:
    """`render("replicas=1", …, key=value)`: the manifests of the chart with these values (`--set`, `--set-json`)."""

    def rendered(*values: str, **structured: Any) -> list[dict[str, Any]]:
        settings = [part for value in values for part in ("--set", value)]
        settings += [part for key, value in structured.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
        text = helm("template", "whisper-operator", str(CHART), "--namespace", "whisper-system", *settings)
        return [manifest for manifest in yaml.safe_load_all(text) if manifest]

    return rendered


@pytest.fixture(scope="session")
def api_server() -> Iterator[Path]:
    """The kubeconfig of an API server of our own: Helm takes no CRDs over that somebody else has applied."""
    with light_control_plane() as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="session")
def cluster_helm(helm: Run, api_server: Path) -> Run:
    """Helm against the API server."""
    return lambda *words: _run(recipes.HELM.program("helm"), *words, kubeconfig=api_server)


@pytest.fixture(scope="session")
def kubectl(api_server: Path) -> Run:
    """kubectl against the API server."""
    program = binaries.cached(recipes.KUBERNETES, "kubectl")
    return lambda *words, input=None: _run(program, *words, input=input, kubeconfig=api_server)
