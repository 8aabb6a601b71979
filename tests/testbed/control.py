"""The command lines of the control plane: pure, shared by the node and by the light control plane."""

import json
from dataclasses import dataclass
from pathlib import Path

SERVICE_CIDR = "10.96.0.0/16"
SERVICE_IP = "10.96.0.1"
FRONT_PROXY = "front-proxy-client"
"""As whom the API server comes to its extensions, in the name of whoever asks."""

# Writes are logged, reads are not: enough to count what an operator creates and to see that it rests.
AUDIT_POLICY = json.dumps(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
    }
)


@dataclass(frozen=True)
class Endpoints:
    """Where the parts of one control plane listen: ports on `address` for the API, on 127.0.0.1 for etcd."""

    address: str = "127.0.0.1"
    api: int = 6443
    etcd: int = 2379
    peer: int = 2380

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.api}"


def etcd(binary: Path, state: Path, ends: Endpoints) -> list[str]:
    """etcd without fsync: a test bed's data need not survive a power cut."""
    client, peer = f"http://127.0.0.1:{ends.etcd}", f"http://127.0.0.1:{ends.peer}"
    return [
        str(binary),
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(binary: Path, state: Path, ends: Endpoints) -> list[str]:
    """kube-apiserver with RBAC, Node authorization, Pod Security admission and an audit log in state/audit.log.

    state/pki and state/audit-policy.json must be there.
    """
    pki = state / "pki"
    return [
        str(binary),
        f"--etcd-servers=http://127.0.0.1:{ends.etcd}",
        f"--secure-port={ends.api}",
        f"--advertise-address={ends.address}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--allow-privileged=true",
        "--enable-aggregator-routing=true",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        # Or `kubectl logs` looks the node's name up in a DNS that does not know it.
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={state / 'audit-policy.json'}",
        f"--audit-log-path={state / 'audit.log'}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
        # The fine steps of a graceful stop are for balancers in front of several servers.
        "--shutdown-delay-duration=0s",
    ]


def controller_manager(binary: Path, state: Path) -> list[str]:
    """kube-controller-manager with all its controllers."""
    return [
        str(binary),
        f"--kubeconfig={state / 'controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={state / 'pki' / 'sa.key'}",
        f"--root-ca-file={state / 'pki' / 'ca.crt'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        # The default of 20 requests a second would be what a measurement of the operator finds.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler(binary: Path, state: Path) -> list[str]:
    """kube-scheduler."""
    config = f"--kubeconfig={state / 'scheduler.kubeconfig'}"
    return [str(binary), config, "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400"]
