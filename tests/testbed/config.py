"""Configuration files and manifests of the node: pure."""

import json
from pathlib import Path
from typing import Any

from testbed import cgroups, control, network
from testbed.containerd import socket
from testbed.pki import Identification

DOMAIN = "cluster.local"
DNS_READY = "127.0.0.1:8181"

PROVISIONER = "testbed.whisper-operator.dev/local"

Manifest = dict[str, Any]


def node_name(name: str) -> str:
    return f"{name}-node"


def cni() -> str:
    """Pods on the bridge, with addresses from one range and host ports."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": network.POD_CIDR, "gateway": network.GATEWAY}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": network.BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "testbed", "plugins": [bridge, portmap]}, indent=1)


def kubelet(name: str, state: Path) -> str:
    """KubeletConfiguration. JSON is YAML."""
    pki = state / "pki"
    almost_nothing = {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"}
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroups.group(name)}",
            "containerRuntimeEndpoint": f"unix://{socket(name)}",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / "kubelet.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet.key"),
            "clusterDNS": [network.GATEWAY],
            "clusterDomain": DOMAIN,
            "resolvConf": "",
            # The machine is shared with builds; pods must not be evicted for what those use.
            "evictionHard": almost_nothing,
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "failSwapOn": False,
            "maxPods": 200,
            "volumePluginDir": str(state / "volume-plugins"),
            "serializeImagePulls": False,
        },
        indent=1,
    )


def kube_proxy(name: str, state: Path) -> str:
    """KubeProxyConfiguration."""
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(state / "kube-proxy.kubeconfig")},
            "clusterCIDR": network.POD_CIDR,
            # These limits belong to the machine, not to the namespace.
            "conntrack": {"maxPerCore": 0},
            "hostnameOverride": node_name(name),
        },
        indent=1,
    )


def corefile(state: Path) -> str:
    """The cluster's names; every other name does not exist, at once: there is no way out of the namespace.

    Two server blocks, since CoreDNS asks its template plugin before its kubernetes plugin.
    """
    return f"""\
{DOMAIN}:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {network.GATEWAY}
    errors
    ready {DNS_READY}
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {state / "coredns.kubeconfig"}
        ttl 5
    }}
    loadbalance
}}
.:53 {{
    bind {network.GATEWAY}
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def objects() -> Manifest:
    """What the cluster needs inside it, as one List: the default StorageClass, and rights to read."""
    rbac, group = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
    watch = ["list", "watch"]
    items: list[Manifest] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": PROVISIONER,
        },
        {
            "apiVersion": rbac,
            "kind": "ClusterRole",
            "metadata": {"name": "coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces", "endpoints"], "verbs": watch},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
            ],
        },
        {
            "apiVersion": rbac,
            "kind": "ClusterRole",
            "metadata": {"name": "enforcer"},
            "rules": [
                {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": watch},
                {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": watch},
            ],
        },
        *(
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": user},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            }
            for user in ("coredns", "enforcer")
        ),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def people(name: str) -> list[Identification]:
    """Whom the cluster's authority issues certificates to."""
    server = ("IP:127.0.0.1", f"IP:{control.SERVICE_IP}", f"IP:{network.GATEWAY}")
    service = "kubernetes.default.svc"
    inside = tuple(f"DNS:{host}" for host in ("localhost", "kubernetes.default", service, f"{service}.{DOMAIN}"))
    node = node_name(name)
    return [
        Identification("apiserver", "kube-apiserver", names=(*server, *inside)),
        Identification("admin", "admin", ("system:masters",)),
        Identification("front-proxy", control.FRONT_PROXY),
        Identification("controller-manager", "system:kube-controller-manager"),
        Identification("scheduler", "system:kube-scheduler"),
        Identification("kube-proxy", "system:kube-proxy"),
        Identification("coredns", "coredns"),
        Identification("enforcer", "enforcer"),
        Identification("provisioner", "provisioner", ("system:masters",)),
        Identification("kubelet", f"system:node:{node}", ("system:nodes",), (f"DNS:{node}", f"IP:{network.GATEWAY}")),
    ]
