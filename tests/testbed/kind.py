"""A cluster by kind, where a Docker engine answers."""

from functools import partial
from pathlib import Path

from testbed import binaries, paths
from testbed.cluster import Cluster
from testbed.recipes import HELM, KIND, KUBERNETES
from testbed.say import say, step
from testbed.shell import CommandFailed, run


def docker_answers() -> bool:
    """Whether there is a Docker engine, not just its client."""
    try:
        run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20)
    except CommandFailed:
        return False
    return True


def exists(name: str) -> bool:
    """Whether kind knows this cluster."""
    return name in run([binaries.found(KIND, "kind"), "get", "clusters"]).split()


def status(name: str) -> str:
    return "running (kind)" if exists(name) else "absent"


def handle(name: str) -> Cluster:
    """The cluster's handle; says nothing about whether it runs."""
    tools = tuple(binaries.found(tool, command).parent for tool, command in ((KUBERNETES, "kubectl"), (HELM, "helm")))
    return Cluster(name, "kind", paths.state(name) / "kubeconfig", tools, partial(_load, name))


def up(name: str) -> Cluster:
    """Create the cluster unless it is there; its kubeconfig is written anew either way."""
    cluster = handle(name)
    cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    kind = binaries.found(KIND, "kind")
    if exists(name):
        run([kind, "export", "kubeconfig", "--name", name, "--kubeconfig", cluster.kubeconfig])
        say(f"cluster {name} is up (kind)")
        return cluster
    with step(f"creating cluster {name} with kind"):
        wanted = ["--name", name, "--kubeconfig", str(cluster.kubeconfig), "--wait", "180s"]
        run([kind, "create", "cluster", *wanted], timeout=900)
    return cluster


def remove(name: str) -> None:
    """Delete the cluster and its folder."""
    run([binaries.found(KIND, "kind"), "delete", "cluster", "--name", name])
    folder = paths.state(name)
    (folder / "kubeconfig").unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()


def _load(name: str, archive: Path) -> None:
    run([binaries.found(KIND, "kind"), "load", "image-archive", str(archive), "--name", name], timeout=900)
