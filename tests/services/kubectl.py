"""kubectl against an API server, as a person would use it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed import binaries
from testbed.recipes import KUBERNETES


@dataclass(frozen=True)
class Api:
    """kubectl against one API server, in one namespace."""

    kubeconfig: Path
    namespace: str = "default"

    def run(self, *arguments: str, manifest: Any = None) -> subprocess.CompletedProcess[str]:
        program = str(binaries.cached(KUBERNETES, "kubectl"))
        return subprocess.run(
            [program, "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments],
            input=None if manifest is None else yaml.safe_dump(manifest),
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(self.kubeconfig.parent)},
        )

    def do(self, *arguments: str, manifest: Any = None) -> str:
        done = self.run(*arguments, manifest=manifest)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, manifest: Any, *arguments: str) -> dict[str, Any]:
        """Server-side apply, strict; the live object."""
        flags = ("--server-side", "--force-conflicts", "--validate=strict", "--output=json", "--filename=-")
        return dict(json.loads(self.do("apply", *flags, *arguments, manifest=manifest)))

    def refusal(self, manifest: Any) -> str:
        """What the API server says against it."""
        done = self.run("apply", "--server-side", "--validate=strict", "--filename=-", manifest=manifest)
        assert done.returncode != 0, f"it was taken: {manifest}"
        return done.stderr
