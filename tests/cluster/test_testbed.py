"""The test bed itself: pods run under restrictions, reach each other by name, keep data; clusters stand side by side
and leave nothing behind."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import testbed
from testbed import cgroups, network, own, paths, tiny
from testbed.process import Identity, kill, running
from testbed.shell import CommandFailed
from testbed.waiting import until

pytestmark = pytest.mark.cluster

SECOND = "whisper-operator-second"


def pod(name: str, *arguments: str, **spec: Any) -> dict[str, Any]:
    """A pod of the probe image that `restricted` lets in."""
    container = {
        "name": "probe",
        "image": tiny.PROBE,
        "args": list(arguments),
        "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **spec.pop("container", {}),
    }
    security = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "securityContext": security, **spec},
    }


def apply(cluster: testbed.Cluster, namespace: str, *manifests: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(items))


@pytest.fixture(scope="module")
def probing(cluster: testbed.Cluster) -> testbed.Cluster:
    """The cluster with the probe image in it."""
    cluster.load(tiny.probe())
    return cluster


@pytest.fixture
def web(probing: testbed.Cluster, namespace: str) -> str:
    """The namespace with a server `web` behind a Service on port 80."""
    ready = {"readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    apply(probing, namespace, pod("web", "serve", ":8000", container=ready), service)
    probing.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/web", "--timeout=120s")
    return namespace


def test_up_returns_at_once_where_the_cluster_runs(cluster: testbed.Cluster) -> None:
    began = time.monotonic()
    again = testbed.up(cluster.name)
    assert again.kubeconfig == cluster.kubeconfig
    assert time.monotonic() - began < 5


def test_the_node_is_ready(cluster: testbed.Cluster) -> None:
    cluster.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")


def test_restricted_refuses_what_runs_as_root(probing: testbed.Cluster, namespace: str) -> None:
    with pytest.raises(CommandFailed, match='violates PodSecurity "restricted'):
        apply(probing, namespace, pod("root", "serve", ":8000", securityContext={"runAsUser": 0}))


def test_a_service_is_reached_by_its_name_even_from_its_own_pod(probing: testbed.Cluster, web: str) -> None:
    def get() -> str:
        return probing.kubectl("exec", "-n", web, "web", "--", "/probe", "get", f"http://web.{web}.svc.cluster.local")

    def answers() -> bool:  # the name and the rules behind it follow the pod's readiness a moment later
        try:
            return get() == "web"
        except CommandFailed:
            return False

    until("the Service", answers, timeout=30)
    assert get() == "web"


def test_a_pod_reaches_the_api_server(probing: testbed.Cluster, web: str) -> None:
    with pytest.raises(CommandFailed, match="tls: failed to verify certificate"):  # that far, it is the server
        probing.kubectl(
            "exec", "-n", web, "web", "--", "/probe", "get", "https://kubernetes.default.svc.cluster.local/version"
        )


def test_names_outside_do_not_exist(probing: testbed.Cluster, web: str) -> None:
    with pytest.raises(CommandFailed, match="no such host"):
        probing.kubectl("exec", "-n", web, "web", "--", "/probe", "get", "http://example.org.")


def test_a_name_that_is_loaded_again_gives_the_new_image(
    probing: testbed.Cluster, namespace: str, tmp_path: Path
) -> None:
    program = own.program("probe", "half a minute", static=True).read_bytes()
    digests = set()
    for version in ("old", "new"):
        archive = tmp_path / f"{version}.tar"
        archive.write_bytes(tiny.wrap(version, program, "testbed/short-name:1"))
        probing.load(archive)
        image = {"image": "testbed/short-name:1", "imagePullPolicy": "IfNotPresent"}
        apply(probing, namespace, pod(version, "serve", ":8000", container=image))
        probing.kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{version}", "--timeout=60s")
        path = "jsonpath={.status.containerStatuses[0].imageID}"
        digests.add(probing.kubectl("get", "pod", version, "-n", namespace, "-o", path))
    assert len(digests) == 2


def test_logs(probing: testbed.Cluster, web: str) -> None:
    assert "serving on :8000" in probing.kubectl("logs", "-n", web, "web")


def test_port_forward(probing: testbed.Cluster, web: str) -> None:
    words = ["kubectl", "port-forward", "-n", web, "service/web", ":80"]
    with subprocess.Popen(words, env=probing.env(), stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            line = forward.stdout.readline()  # Forwarding from 127.0.0.1:41234 -> 8000
            port = line.split()[2].rsplit(":", 1)[1]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as answer:
                assert answer.read() == b"web"
        finally:
            forward.kill()


def test_a_claim_gets_a_volume_that_belongs_to_the_pods_group(probing: testbed.Cluster, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    writer = pod("writer", "write", "/data/file", "kept", container=mounted, volumes=volumes, restartPolicy="Never")
    apply(probing, namespace, claim, writer)
    probing.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "pod/writer", "--timeout=120s")


def test_the_audit_log_counts_writes(cluster: testbed.Cluster, namespace: str) -> None:
    if cluster.audit_log is None:
        assert cluster.made_of == "kind"
        return
    cluster.kubectl("create", "configmap", "counted", "-n", namespace)
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    mine = [event for event in events if event["objectRef"].get("namespace") == namespace]
    assert [event["verb"] for event in mine if event["objectRef"].get("name") == "counted"] == ["create"]


def _traces(name: str) -> dict[str, object]:
    """All that a cluster of our own can leave on the machine."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # ended meanwhile
            continue
    spaces = (name, network.beyond(name))
    marks = (str(paths.state(name)), str(paths.sockets(name)), *(str(paths.netns(space)) for space in spaces))
    return {
        "processes": [line for line in lines if any(mark in line for mark in marks)],
        "cgroup members": sorted(who.pid for who in cgroups.members(name)),
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").rglob(cgroups.group(name))],
        "namespace members": sorted(who.pid for space in spaces for who in network.members(space)),
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if any(m in line for m in marks)],
        "files": [mark for mark in marks if Path(mark).exists()],
    }


def _abandon_a_host_outside(name: str) -> None:
    """As a run that was killed leaves one: with its address, its interface and a process."""
    script = (
        "import subprocess; from testbed import network\n"
        f"with network.outside({name!r}, '198.51.100.7') as host: subprocess.run([*host, 'sleep', 'infinity'])"
    )
    before, environment = _sleepers(name), {**os.environ, "PYTHONPATH": str(Path(testbed.__file__).parent.parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as holder:
        try:
            until(
                "the host outside to run",
                lambda: bool(_sleepers(name) - before) or holder.poll() is not None,
                timeout=60,
            )
        finally:
            holder.kill()
    assert _sleepers(name) - before, "the process outlives the one that was killed"


def _sleepers(name: str) -> set[Identity]:
    def sleeps(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
        except OSError:  # ended meanwhile
            return False

    return {who for who in network.members(network.beyond(name)) if sleeps(who.pid)}


@pytest.fixture
def second(cluster: testbed.Cluster) -> Iterator[testbed.Cluster]:
    """Another cluster beside the first."""
    yield testbed.up(SECOND)
    testbed.down(SECOND)


def test_two_clusters_stand_side_by_side_and_one_goes_without_a_trace(
    probing: testbed.Cluster, second: testbed.Cluster, web: str
) -> None:
    second.load(tiny.probe())
    apply(second, "default", pod("other", "serve", ":8000"))
    second.kubectl("wait", "--for=condition=Ready", "pod/other", "--timeout=120s")
    assert "other" not in probing.kubectl("get", "pods", "-A")
    assert "web" not in second.kubectl("get", "pods", "-A", "-o", "name")
    if second.made_of == "node":
        assert _traces(SECOND)["cgroup members"]  # the search finds what is there
        _abandon_a_host_outside(SECOND)
        _abandon_a_host_outside(SECOND)  # what is left of the first is not in its way
    testbed.down(SECOND)
    assert testbed.status(SECOND) == "absent"
    if second.made_of == "node":
        assert not {kind: found for kind, found in _traces(SECOND).items() if found}
    # The first one has not noticed: its pod still runs and can be entered.
    assert probing.kubectl("exec", "-n", web, "web", "--", "/probe", "get", "http://127.0.0.1:8000") == "web"


def test_up_recovers_from_killed_processes_and_from_an_interrupted_start(cluster: testbed.Cluster) -> None:
    if cluster.made_of != "node":
        assert testbed.status(SECOND) == "absent"  # kind looks after its own processes
        return
    # Where these tests run in the background of a shell, Ctrl-C is ignored, and their children would inherit that.
    words = ["env", "--default-signal=INT", sys.executable, "-m", "testbed", "up", "--name", SECOND]
    environment = {**os.environ, "PYTHONPATH": str(Path(testbed.__file__).parent.parent)}
    starting = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    try:
        api = paths.state(SECOND) / "pids" / "apiserver"
        until("its API server's start", lambda: running(api) is not None or starting.poll() is not None, timeout=120)
        starting.send_signal(2)  # Ctrl-C, half way
        assert starting.wait(timeout=60) == 130
        assert testbed.status(SECOND).startswith("broken")
        testbed.up(SECOND)
        kill([who for who in [running(api)] if who])
        until("the API server's death to be seen", lambda: testbed.status(SECOND).startswith("broken"), timeout=30)
        testbed.up(SECOND).kubectl("get", "nodes")
    finally:
        starting.kill()
        starting.wait()
        testbed.down(SECOND)
    assert not {kind: found for kind, found in _traces(SECOND).items() if found}


def test_the_relay_listens_on_the_hosts_loopback_only(cluster: testbed.Cluster) -> None:
    server = cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
    host, _, port = server.removeprefix("https://").partition(":")
    assert host == "127.0.0.1"
    with socket.create_connection((host, int(port)), timeout=5):
        pass
