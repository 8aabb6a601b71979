"""A real KEDA against an API server: its operator, which takes what it scales from none to one and back, and its
metrics adapter, whom Kubernetes' own controller asks how many there should be."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from services.kubectl import Api
from services.servers import free_port
from testbed import binaries, keda, pki, recipes

_SERVICE = "keda-metrics"
_METRICS = ("external.metrics.k8s.io", "v1beta1")


def define(api: Api) -> None:
    """KEDA's definitions, served."""
    listed = list(yaml.safe_load_all(api.do("kustomize", str(binaries.sources(*recipes.KEDA) / "config" / "crd"))))
    definitions = {"apiVersion": "v1", "kind": "List", "items": listed}
    api.do("apply", "--server-side", "--filename=-", manifest=definitions)
    for definition in listed:
        name, kind = f"crd/{definition['metadata']['name']}", definition["spec"]["names"]["kind"]
        # The names first: while a CRD has no conditions at all, kubectl fails at waiting for one.
        for state in (f"jsonpath={{.status.acceptedNames.kind}}={kind}", "condition=Established"):
            api.do("wait", f"--for={state}", name, "--timeout=30s")


@contextmanager
def service(url: str) -> Iterator[str]:
    """A proxy by which every name is this API's, as a Service's would be. Its own URL."""

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """What the API says to the path and the key of a request for any host."""
            asked = urlsplit(self.path)
            headers = {"Authorization": self.headers.get("Authorization", "")}
            answer = httpx.get(f"{url}{asked.path}?{asked.query}", headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_CONNECT(self) -> None:
            """The API's own port, whatever is said there: TLS ends at the API."""
            with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pour, args=(there, self.connection))
                back.start()
                _pour(self.connection, there)
                back.join()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the API has a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(api: Api, folder: Path, proxy: str) -> Iterator[Path]:
    """Run both until the block ends, and the one of Kubernetes' controllers that asks the adapter. They ask Services'
    names by `proxy`: there is no DNS. The operator's log."""
    certificates = folder / "certs"
    names = ("DNS:localhost", f"DNS:{_SERVICE}.{api.namespace}.svc")
    pki.make(certificates, [pki.Identification("tls", "KEDAORG", names=names)])
    metrics, secure = free_port(), free_port()
    programs, log = keda.programs(), folder / "keda.log"
    places = {"WATCH_NAMESPACE": "", "POD_NAMESPACE": "default", "KEDA_CLUSTER_OBJECT_NAMESPACE": "default"}
    env = {"KUBECONFIG": str(api.kubeconfig), "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, **places}
    operator = [
        str(programs / "operator"),
        f"--cert-dir={certificates}",
        f"--metrics-service-bind-address=127.0.0.1:{metrics}",
        *(f"--{name}-bind-address=127.0.0.1:{free_port()}" for name in ("metrics", "health-probe")),
    ]
    adapter = [
        str(programs / "adapter"),
        f"--metrics-service-address=localhost:{metrics}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure}",
        f"--port={free_port()}",
        f"--cert-dir={certificates}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        *(f"--{part}-kubeconfig={api.kubeconfig}" for part in ("lister", "authentication", "authorization")),
    ]
    controller = [
        str(binaries.cached(recipes.KUBERNETES, "kube-controller-manager")),
        f"--kubeconfig={api.kubeconfig}",
        "--controllers=horizontal-pod-autoscaler-controller",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--leader-elect=false",
        "--secure-port=0",
    ]
    _extend(api, secure, (certificates / "ca.crt").read_bytes())
    with (
        _process(operator, log, env),
        _process(adapter, folder / "adapter.log", env),
        _process(controller, folder / "controller.log", env),
    ):
        yield log


def _extend(api: Api, port: int, authority: bytes) -> None:
    """The API server has the adapter behind it."""
    group, version = _METRICS
    served = {
        "group": group,
        "version": version,
        "service": {"name": _SERVICE, "namespace": api.namespace, "port": port},
        "caBundle": b64encode(authority).decode(),
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    name = {"name": _SERVICE, "namespace": api.namespace}
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    api.apply({"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": spec})
    extension = {"metadata": {"name": f"{version}.{group}"}, "spec": served}
    api.apply({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", **extension})


@contextmanager
def _process(words: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env={**os.environ, **env})
    try:
        yield
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(20)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    """All that comes, until its end, or the other side's."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
