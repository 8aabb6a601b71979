"""Starting the daemons of a node, in an order in which each finds what it needs."""

import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from testbed import cgroups, config, containerd, control, kubeconfig, network, own, paths, pki, ports, tiny
from testbed.cluster import Cluster
from testbed.enforcer import nft
from testbed.process import start
from testbed.recipes import COREDNS, ETCD, KUBERNETES
from testbed.say import say
from testbed.shell import CommandFailed, run
from testbed.waiting import until

NAMES = (
    "namespaces",
    "etcd",
    "apiserver",
    "containerd",
    "relay",
    "controller-manager",
    "scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "enforcer",
    "provisioner",
)

# Starts a daemon inside the cluster's namespaces: its name, its command line → its pid file.
Launch = Callable[[str, list[str]], Path]


def ready(server: str, ca: Path) -> bool:
    """Whether the API server at `server` says that it is ready."""
    try:
        context = ssl.create_default_context(cafile=str(ca))
        with urllib.request.urlopen(f"{server}/readyz", timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:  # not listening yet, or listening and not ready (URLError is an OSError)
        return False


def bring_up(cluster: Cluster) -> None:
    """From nothing to a Ready node. Interrupted anywhere, it leaves what `teardown.remove` removes."""
    name, state = cluster.name, paths.state(cluster.name)
    state.mkdir(parents=True)
    paths.sockets(name).mkdir()
    write_files(name, state)
    cgroups.create(name)
    network.create(name)
    enter = network.hold(name, state)

    def launch(daemon: str, argv: list[str]) -> Path:
        say(f"  {daemon}")
        return start(daemon, [*enter, *argv], state)

    control_plane(name, state, launch)
    cluster.kubectl("apply", "-f", "-", input=json.dumps(config.objects()))
    node(name, state, launch)
    settle(cluster, enter)


def write_files(name: str, state: Path) -> None:
    """Certificates, kubeconfigs and configuration."""
    pki.make(state / "pki", config.people(name))
    server = control.Endpoints(network.GATEWAY).server
    for person in ("controller-manager", "scheduler", "kubelet", "kube-proxy", "coredns", "enforcer", "provisioner"):
        kubeconfig.write(state / f"{person}.kubeconfig", name, server, state / "pki", person)
    port = ports.free(1)[0]
    (state / "port").write_text(str(port))
    kubeconfig.write(state / "kubeconfig", name, f"https://127.0.0.1:{port}", state / "pki", "admin")
    (state / "cni").mkdir()
    files = {
        "audit-policy.json": control.AUDIT_POLICY,
        "cni/10-bridge.conflist": config.cni(),
        "containerd.toml": containerd.config(name, state),
        "kubelet.json": config.kubelet(name, state),
        "kube-proxy.json": config.kube_proxy(name, state),
        "Corefile": config.corefile(state),
    }
    for file, content in files.items():
        (state / file).write_text(content)


def server(name: str) -> str:
    """The API server's URL on the host: the relay."""
    return f"https://127.0.0.1:{(paths.state(name) / 'port').read_text()}"


def healthy(name: str) -> bool:
    """Whether the API server is ready, asked through the relay as every client does."""
    return ready(server(name), paths.state(name) / "pki" / "ca.crt")


def control_plane(name: str, state: Path, launch: Launch) -> None:
    """etcd, the API server, the relay and the controllers; containerd takes its image while those start."""
    ends = control.Endpoints(network.GATEWAY)
    etcd = launch("etcd", control.etcd(ETCD.program("etcd"), state, ends))
    api = launch("apiserver", control.apiserver(KUBERNETES.program("kube-apiserver"), state, ends))
    runtime = launch("containerd", ["containerd", "--config", str(state / "containerd.toml")])
    script = str(Path(__file__).with_name("relay.py"))
    target = [str(paths.netns(name)), network.GATEWAY, str(ends.api)]
    # The real interpreter, not the venv's link to it: the relay may outlive the venv. It runs on the host's side.
    relay = start("relay", [Path(sys.executable).resolve(), script, (state / "port").read_text(), *target], state)
    until("containerd", partial(containerd.answers, name), timeout=60, needs=[runtime])
    containerd.load(name, tiny.pause())
    until("the API server", partial(healthy, name), timeout=180, needs=[etcd, api, relay])
    launch("controller-manager", control.controller_manager(KUBERNETES.program("kube-controller-manager"), state))
    launch("scheduler", control.scheduler(KUBERNETES.program("kube-scheduler"), state))


def node(name: str, state: Path, launch: Launch) -> None:
    """What enforces NetworkPolicies, the kubelet, kube-proxy, the cluster's DNS and its volumes."""
    modules = Path(__file__).parents[1]
    enforcer = [sys.executable, "-m", "testbed.enforcer", str(state / "enforcer.kubeconfig"), network.POD_CIDR]
    launch("enforcer", ["env", f"PYTHONPATH={modules}", *enforcer])
    identity = [f"--hostname-override={config.node_name(name)}", f"--node-ip={network.GATEWAY}"]
    files = [f"--config={state / 'kubelet.json'}", f"--kubeconfig={state / 'kubelet.kubeconfig'}"]
    launch("kubelet", [str(KUBERNETES.program("kubelet")), *files, *identity])
    launch("kube-proxy", [str(KUBERNETES.program("kube-proxy")), f"--config={state / 'kube-proxy.json'}"])
    launch("coredns", [str(COREDNS.program("coredns")), "-conf", str(state / "Corefile")])
    (state / "volumes").mkdir()
    volumes = [f"-root={state / 'volumes'}", f"-node={config.node_name(name)}", f"-provisioner={config.PROVISIONER}"]
    launch("provisioner", [str(own.provisioner()), f"-kubeconfig={state / 'provisioner.kubeconfig'}", *volumes])


def settle(cluster: Cluster, enter: list[str]) -> None:
    """Wait until a pod that is applied now will run: the node is Ready, names resolve, accounts are there.

    And until it will run under the NetworkPolicies that there are.
    """
    needs = [paths.state(cluster.name) / "pids" / name for name in NAMES]
    ask = f"import urllib.request as r; r.urlopen('http://{config.DNS_READY}/ready', timeout=5)"

    def succeeds(*argv: str) -> bool:
        try:
            run(argv, env=cluster.env(), timeout=30)
        except CommandFailed:
            return False
        return True

    is_ready = ("kubectl", "wait", "--for=condition=Ready", f"node/{config.node_name(cluster.name)}", "--timeout=10s")
    until("the node to be Ready", partial(succeeds, *is_ready), timeout=180, needs=needs)
    account = ("kubectl", "get", "serviceaccount", "default", "-n", "default")
    table = ("nft", "list", "table", *nft.NAME.split())
    until("NetworkPolicies to be enforced", partial(succeeds, *enter, *table), timeout=60, needs=needs)
    until("the default service account", partial(succeeds, *account), timeout=60, needs=needs)
    until("the cluster's DNS", partial(succeeds, *enter, sys.executable, "-c", ask), timeout=60, needs=needs)
