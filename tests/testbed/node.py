"""One real Kubernetes node without Docker: etcd, the control plane, containerd and a kubelet as plain processes."""

from functools import partial

from testbed import binaries, containerd, daemons, debian, network, own, paths, teardown, tiny
from testbed.cluster import Cluster
from testbed.process import running
from testbed.recipes import HELM, KUBERNETES, NODE
from testbed.say import say, step
from testbed.waiting import until


def exists(name: str) -> bool:
    """Whether anything of this cluster is there, whole or not."""
    spaces = (paths.netns(name), paths.netns(network.beyond(name)))
    return any(place.exists() for place in (paths.state(name), paths.sockets(name), *spaces))


def dead(name: str) -> list[str]:
    """The daemons that do not run."""
    pids = paths.state(name) / "pids"
    return [daemon for daemon in daemons.NAMES if running(pids / daemon) is None]


def status(name: str) -> str:
    """One word or sentence on how the cluster is."""
    if not exists(name):
        return "absent"
    if lost := dead(name):
        return f"broken: not running: {', '.join(lost)} (`up` starts afresh)"
    if not _complete(name):
        return "incomplete: `up` was interrupted (run it again)"
    return "running" if daemons.healthy(name) else "running, but the API server is not ready"


def handle(name: str) -> Cluster:
    """The cluster's handle; says nothing about whether it runs."""
    state = paths.state(name)
    tools = (KUBERNETES.folder, HELM.folder)
    return Cluster(name, "node", state / "kubeconfig", tools, partial(containerd.load, name), state / "audit.log")


def prepare() -> None:
    """Everything that a node needs and that outlives it: packages, programs, the pause image."""
    debian.ensure()
    binaries.ensure(*NODE)
    own.provisioner()
    own.health()
    tiny.pause()


def up(name: str) -> Cluster:
    """Bring the node up, or return at once if it is. What a crash, a reboot or Ctrl-C left is removed first."""
    cluster = handle(name)
    if _complete(name) and not dead(name):
        # Slow is not broken: a cluster whose processes all live is never thrown away here.
        until(f"cluster {name} to be healthy", partial(daemons.healthy, name), timeout=120)
        say(f"cluster {name} is up")
        return cluster
    prepare()
    if exists(name):
        with step(f"removing what is left of cluster {name}"):
            teardown.remove(name)
    with step(f"starting cluster {name}"):
        daemons.bring_up(cluster)
        (paths.state(name) / "complete").touch()
    return cluster


def _complete(name: str) -> bool:
    return (paths.state(name) / "complete").exists()
