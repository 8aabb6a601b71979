"""A real KEDA against an API server: its operator, which takes what it scales from none to one and back."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from services.kubectl import Api
from services.servers import free_port
from testbed import binaries, keda, pki, recipes


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
def operator(api: Api, folder: Path, proxy: str) -> Iterator[Path]:
    """Run it until the block ends. It asks Services' names by `proxy`: there is no DNS. Its log."""
    pki.make(folder / "certs", [pki.Identification("tls", "KEDAORG", names=("DNS:localhost",))])
    addresses = {
        f"--{name}-bind-address": f"127.0.0.1:{free_port()}" for name in ("metrics", "health-probe", "metrics-service")
    }
    words = [str(keda.operator()), f"--cert-dir={folder / 'certs'}", *map("=".join, addresses.items())]
    places = {"WATCH_NAMESPACE": "", "POD_NAMESPACE": "default", "KEDA_CLUSTER_OBJECT_NAMESPACE": "default"}
    env = {"KUBECONFIG": str(api.kubeconfig), "HTTP_PROXY": proxy, **places}
    log = folder / "keda.log"
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env={**os.environ, **env})
    try:
        yield log
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(20)
