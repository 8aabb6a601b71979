"""What is built from Go modules, at which version: pure."""

import re
from dataclasses import dataclass
from pathlib import Path

from testbed import paths


@dataclass(frozen=True)
class Tool:
    """A Go module and the programs in it.

    commands: program → (import path, minutes that a cold build takes on two cores).
    replaced: the module's go.mod replaces its dependencies, so that `go install` refuses it; it is built from a
    module of our own then.
    """

    name: str
    module: str
    version: str
    commands: dict[str, tuple[str, float]]
    ldflags: str = "-s -w"
    replaced: bool = False

    @property
    def folder(self) -> Path:
        """Where its programs are cached, by version."""
        return paths.cache() / "bin" / f"{self.name}-{self.version}"

    def program(self, command: str) -> Path:
        return self.folder / command


_KUBERNETES = "v1.36.3"
_VERSION = "k8s.io/component-base/version"

KUBERNETES = Tool(
    "kubernetes",
    "k8s.io/kubernetes",
    _KUBERNETES,
    {
        command: (f"k8s.io/kubernetes/cmd/{command}", minutes)
        for command, minutes in {
            "kube-apiserver": 8,
            "kube-controller-manager": 3.5,
            "kube-scheduler": 0.3,
            "kubectl": 0.6,
            "kubelet": 0.9,
            "kube-proxy": 0.2,
        }.items()
    },
    f"-s -w -X {_VERSION}.gitVersion={_KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36",
    replaced=True,
)
ETCD = Tool("etcd", "go.etcd.io/etcd/server/v3", "v3.7.3", {"etcd": ("go.etcd.io/etcd/server/v3", 0.6)}, replaced=True)
COREDNS = Tool("coredns", "github.com/coredns/coredns", "v1.15.0", {"coredns": ("github.com/coredns/coredns", 3)})
HELM = Tool(
    "helm",
    "helm.sh/helm/v4",
    "v4.3.1",
    {"helm": ("helm.sh/helm/v4/cmd/helm", 2.5)},
    "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1",
)
VERSITYGW = Tool(
    "versitygw",
    "github.com/versity/versitygw",
    "v1.8.0",
    {"versitygw": ("github.com/versity/versitygw/cmd/versitygw", 1)},
)
KIND = Tool("kind", "sigs.k8s.io/kind", "v0.33.0", {"kind": ("sigs.k8s.io/kind", 0.7)})

# Of these the CustomResourceDefinitions, as they are in the sources; the programs are in certmanager/ beside this file.
CERT_MANAGER = ("github.com/cert-manager/cert-manager", "v1.21.2")
# Not run: its CustomResourceDefinitions say what is valid.
KEDA = ("github.com/kedacore/keda/v2", "v2.21.0")

NODE = (KUBERNETES, ETCD, COREDNS, HELM)


def staging_replacements(gomod: str, version: str) -> str:
    """Kubernetes' go.mod takes its staging modules from its own folders; the same modules are published as v0.x."""
    published = version.replace("v1.", "v0.", 1)
    modules = re.findall(r"^\s*(k8s\.io/[a-z-]+) => \./staging", gomod, re.MULTILINE)
    return "".join(f"replace {module} => {module} {published}\n" for module in modules)
