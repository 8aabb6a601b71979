"""A real Kubernetes cluster for tests and for trying things out: by kind where Docker answers, else a node of our own.

```python
cluster = up("whisper-operator")
cluster.kubectl("get", "nodes")
with light_control_plane() as kubeconfig: ...  # an API server without a node, in seconds
```
"""

from testbed import kind, node, paths, teardown
from testbed.cluster import Cluster
from testbed.light import light_control_plane
from testbed.locks import locked

__all__ = ["DEFAULT_NAME", "Cluster", "down", "get", "light_control_plane", "status", "up"]

DEFAULT_NAME = "whisper-operator"


def up(name: str = DEFAULT_NAME) -> Cluster:
    """The running cluster of this name, brought up if need be: at once if it runs, 15 s if it has to be started, a
    quarter of an hour if its programs have to be built first.

    Safe to call from several processes at once. Raises ValueError (a bad name), shell.CommandFailed or
    waiting.GaveUp; what is there then can be removed by `down` and is replaced by the next `up`.
    """
    with locked(f"cluster-{paths.check_name(name)}"):
        return kind.up(name) if _by_kind(name) else node.up(name)


def down(name: str = DEFAULT_NAME) -> None:
    """Remove the cluster with its processes, mounts, namespaces and folders, also if it is broken or half made."""
    with locked(f"cluster-{paths.check_name(name)}"):
        if _by_kind(name):
            kind.remove(name)
        else:
            teardown.remove(name)


def status(name: str = DEFAULT_NAME) -> str:
    """A sentence on how the cluster is; it begins with "running" if it can be used."""
    paths.check_name(name)
    return kind.status(name) if _by_kind(name) else node.status(name)


def get(name: str = DEFAULT_NAME) -> Cluster:
    """The handle of a cluster that runs. Raises LookupError if it does not."""
    if not (how := status(name)).startswith("running"):
        raise LookupError(f"cluster {name} is {how}")
    return kind.handle(name) if _by_kind(name) else node.handle(name)


def _by_kind(name: str) -> bool:
    """A node that exists stays one, even if a Docker engine has come up since."""
    return not node.exists(name) and kind.docker_answers()
