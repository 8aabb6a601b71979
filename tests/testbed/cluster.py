"""A cluster as tests and tools see it, whatever it is made of."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed.shell import run


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    kubeconfig: works from the host, with every client.
    tools: folders that hold kubectl and helm.
    loader: puts an image archive into the node.
    audit_log: every write to the API server, a JSON event (audit.k8s.io/v1, level Metadata) a line; None with kind.
    """

    name: str
    made_of: Literal["kind", "node"]
    kubeconfig: Path
    tools: tuple[Path, ...]
    loader: Callable[[Path], object]
    audit_log: Path | None = None

    def env(self) -> dict[str, str]:
        """This program's environment, with KUBECONFIG and with kubectl and helm on PATH."""
        path = os.pathsep.join([*map(str, self.tools), os.environ.get("PATH", os.defpath)])
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *words: str, input: str | None = None, timeout: float = 300) -> str:
        """What `kubectl WORDS…` prints. Raises shell.CommandFailed, with what it said, if it fails."""
        return run(["kubectl", *words], input=input, env=self.env(), timeout=timeout)

    def helm(self, *words: str, timeout: float = 600) -> str:
        """What `helm WORDS…` prints. Raises shell.CommandFailed, with what it said, if it fails."""
        return run(["helm", *words], env=self.env(), timeout=timeout)

    def load(self, archive: Path) -> None:
        """Put a Docker or OCI archive's images into the node; one that is there already costs nothing."""
        self.loader(archive)
