"""A cluster by kind, where a Docker engine answers."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

from testbed import binaries, images, paths
from testbed.cluster import Cluster
from testbed.loaded import Loaded
from testbed.locks import locked
from testbed.recipes import HELM, KIND, KUBERNETES
from testbed.say import say, step
from testbed.shell import CommandFailed, run
from testbed.waiting import until

NODE_IMAGE = "KIND_NODE_IMAGE"
"""The environment variable that names another node image than kind's own: of a mirror, or of another Kubernetes."""


def docker_answers() -> bool:
    """Whether there is a Docker engine, not just its client."""
    try:
        return bool(run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20).strip())
    except CommandFailed:
        return False


def state(name: str) -> Path:
    """What is kept of a cluster here: not where our own nodes keep theirs, or one would be taken for the other."""
    return paths.cache() / "kind" / name


def exists(name: str) -> bool:
    """Whether kind knows this cluster."""
    return name in _kind("get", "clusters").split()


def status(name: str) -> str:
    """One word or sentence on how the cluster is."""
    if not exists(name):
        return "absent"
    if _half_made(name).exists():
        return "incomplete: `up` was interrupted (run it again)"
    return "running (kind)" if _nodes(name, "running") else "stopped (`up` starts it)"


def handle(name: str) -> Cluster:
    """The cluster's handle; says nothing about whether it runs."""
    tools = tuple(binaries.found(tool, command).parent for tool, command in ((KUBERNETES, "kubectl"), (HELM, "helm")))
    return Cluster(name, "kind", state(name) / "kubeconfig", tools, partial(_load, name))


def up(name: str) -> Cluster:
    """Create the cluster unless it is there; its kubeconfig is written anew either way. Half a cluster is replaced."""
    cluster = handle(name)
    if exists(name) and _half_made(name).exists():
        remove(name)
    if exists(name):
        _start(name)
        cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        _kind("export", "kubeconfig", "--name", name, "--kubeconfig", str(cluster.kubeconfig))
    else:
        _create(name, cluster.kubeconfig)
    until(f"the node of cluster {name} to be Ready", partial(_ready, cluster), timeout=180)
    say(f"cluster {name} is up (kind)")
    return cluster


def remove(name: str) -> None:
    """Delete the cluster and its folder."""
    _kind("delete", "cluster", "--name", name)
    shutil.rmtree(state(name), ignore_errors=True)


def config() -> str:
    """kind's configuration: pure. JSON is YAML."""
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,  # as our own node: a host with cgroup v1 will do
        "maxPods": 200,
        "serializeImagePulls": False,
    }
    return json.dumps(
        {
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "kind": "Cluster",
            "kubeadmConfigPatches": [json.dumps(kubelet)],
            "nodes": [{"role": "control-plane"}],
        }
    )


def _create(name: str, kubeconfig: Path) -> None:
    shutil.rmtree(state(name), ignore_errors=True)  # of a cluster that somebody deleted without us
    _half_made(name).parent.mkdir(parents=True)
    _half_made(name).touch()
    image = os.environ.get(NODE_IMAGE)
    with step(f"creating cluster {name} with kind{f' from {image}' if image else ''}"):
        wanted = ["--name", name, "--kubeconfig", str(kubeconfig), "--config", "-", "--wait", "180s"]
        _kind("create", "cluster", *wanted, *(["--image", image] if image else []), input=config())
    _half_made(name).unlink()


def _half_made(name: str) -> Path:
    """A file that is there while the cluster is being created."""
    return state(name) / "half-made"


def _start(name: str) -> None:
    """Start the node if it stands still: Docker does not, after the machine was off."""
    for node in _nodes(name, "exited"):
        with step(f"starting {node}"):
            run(["docker", "start", node])


def _ready(cluster: Cluster) -> bool:
    """Whether the node is; an API server that has just started refuses connections, then everybody's requests."""
    try:
        cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=5s")
    except CommandFailed:
        return False
    return True


def _nodes(name: str, state: str) -> list[str]:
    """The ids of the cluster's containers in this state (running, exited)."""
    chosen = ["--filter", f"label=io.x-k8s.kind.cluster={name}", "--filter", f"status={state}"]
    return run(["docker", "ps", "--all", "--no-trunc", "--quiet", *chosen]).split()


def _load(name: str, archive: Path) -> None:
    names = [images.normalise(short) for short in images.names(archive)]
    with locked(f"load-{name}"):
        loaded = Loaded(state(name) / "loaded.json", node=" ".join(_nodes(name, "running")))
        if not loaded.has(names, archive):
            _kind("load", "image-archive", str(archive), "--name", name)
            loaded.note(names, archive)


def _kind(*words: str, input: str | None = None) -> str:
    return run([binaries.found(KIND, "kind"), *words], input=input, timeout=900)
