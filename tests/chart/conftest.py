"""The chart, rendered by Helm, and Helm and kubectl against an API server without a node."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import binaries, recipes
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
    return lambda *arguments: _run(recipes.HELM.program("helm"), *arguments)


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
def cluster_helm(helm: Run, control_plane: Path) -> Run:
    """Helm against the light control plane."""
    return lambda *arguments: _run(recipes.HELM.program("helm"), *arguments, kubeconfig=control_plane)


@pytest.fixture(scope="session")
def kubectl(control_plane: Path) -> Run:
    """kubectl against the light control plane."""
    program = recipes.KUBERNETES.program("kubectl")
    return lambda *arguments, input=None: _run(program, *arguments, input=input, kubeconfig=control_plane)


@pytest.fixture(scope="session")
def crds(render: Render, kubectl: Run) -> None:
    """The chart's CRDs, served."""
    manifests = [m for m in render() if m["kind"] == "CustomResourceDefinition"]
    kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump_all(manifests))
    for manifest in manifests:
        kubectl("wait", "--for=condition=Established", f"crd/{manifest['metadata']['name']}", "--timeout=30s")
