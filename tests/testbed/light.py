"""An API server without a node: etcd and kube-apiserver on the host's loopback, ready in seconds.

No controllers run: namespaces never finish terminating, nothing is garbage-collected, no pod is scheduled. It needs
no root, and it ends with the program that started it, however that ends.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from testbed import binaries, control, daemons, kubeconfig, pki, ports
from testbed.pki import Identification
from testbed.process import kill, reap, running, start
from testbed.recipes import ETCD, KUBERNETES
from testbed.waiting import GaveUp, until

# Ports are chosen while nobody uses them and bound a moment later: somebody else may be faster.
_ATTEMPTS = 3
_TIED = ["setpriv", "--pdeathsig", "KILL"]
# No Service has endpoints here: an extension of the API is a process of this host, behind a Service's external name.
_NAMED = ["--enable-aggregator-routing=false"]


@contextmanager
def light_control_plane() -> Iterator[Path]:
    """The kubeconfig (user admin) of a fresh API server, which is gone afterwards.

    Raises waiting.GaveUp if it does not come up.
    """
    binaries.ensure(ETCD)
    api = binaries.cached(KUBERNETES, "kube-apiserver")
    with tempfile.TemporaryDirectory(prefix="light-control-plane-") as folder:
        for attempt in range(_ATTEMPTS):
            state = Path(folder) / str(attempt)
            try:
                try:
                    server = _start(state, api)
                except GaveUp as error:
                    if attempt == _ATTEMPTS - 1 or "address already in use" not in str(error):
                        raise
                    continue
                yield kubeconfig.write(state / "kubeconfig", "light", server, state / "pki", "admin")
                return
            finally:
                _stop(state)


def _start(state: Path, api: Path) -> str:
    """Start both; the API server's URL once it is ready."""
    first, second, third = ports.free(3)
    ends = control.Endpoints("127.0.0.1", first, second, third)
    names = ("IP:127.0.0.1", f"IP:{control.SERVICE_IP}", "DNS:localhost")
    pki.make(
        state / "pki",
        [
            Identification("apiserver", "kube-apiserver", names=names),
            Identification("admin", "admin", ("system:masters",)),
            Identification("front-proxy", control.FRONT_PROXY),
        ],
    )
    (state / "audit-policy.json").write_text(control.AUDIT_POLICY)
    needs = [
        start("etcd", [*_TIED, *control.etcd(ETCD.program("etcd"), state, ends)], state),
        start("apiserver", [*_TIED, *control.apiserver(api, state, ends), *_NAMED], state),
    ]
    until("the API server", partial(daemons.ready, ends.server, state / "pki" / "ca.crt"), timeout=120, needs=needs)
    return ends.server


def _stop(state: Path) -> None:
    pidfiles = [state / "pids" / name for name in ("apiserver", "etcd")]

    def gone() -> bool:
        victims = [who for pidfile in pidfiles if (who := running(pidfile))]
        kill(victims)
        reap()
        return not victims

    until("the light control plane to end", gone, timeout=30)
