"""Every example is taken by a real API server as it stands in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.kubectl import Api
from whisper_operator.cluster.live import LiveCluster

FILES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
EXAMPLES = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in FILES}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_is_taken(cluster: LiveCluster, control_plane: Path, name: str) -> None:
    """Strictly: a field that does not exist is an error. Kinds of cert-manager, which is not here, are left out."""
    known = [one for one in EXAMPLES[name] if not one["apiVersion"].startswith("cert-manager.io/")]
    assert known
    for manifest in known:
        Api(control_plane).apply(manifest, "--dry-run=server")
