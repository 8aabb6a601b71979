"""The API server without a node."""

import json
import os
import time
from pathlib import Path

from testbed import binaries, light_control_plane
from testbed.recipes import ETCD, KUBERNETES
from testbed.shell import run

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "notes.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "notes", "kind": "Note"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


def kubectl(kubeconfig: Path, *words: str, input: str | None = None) -> str:
    program = binaries.cached(KUBERNETES, "kubectl")
    return run([program, *words], input=input, env={**os.environ, "KUBECONFIG": str(kubeconfig)})


def test_a_resource_of_a_new_kind_can_be_stored(control_plane: Path) -> None:
    kubectl(control_plane, "apply", "-f", "-", input=json.dumps(CRD))
    kubectl(control_plane, "wait", "--for=condition=Established", "crd/notes.example.org", "--timeout=30s")
    note = {"apiVersion": "example.org/v1", "kind": "Note", "metadata": {"name": "first", "namespace": "default"}}
    kubectl(control_plane, "apply", "-f", "-", input=json.dumps(note))
    assert kubectl(control_plane, "get", "notes", "-o", "name") == "note.example.org/first\n"


def test_it_is_soon_ready_and_leaves_no_process_and_no_folder() -> None:
    binaries.ensure(ETCD)
    binaries.cached(KUBERNETES, "kube-apiserver")
    began = time.monotonic()
    with light_control_plane() as kubeconfig:
        took = time.monotonic() - began
        folder = kubeconfig.parent
        assert len(_using(folder)) == 2
    assert not _using(folder)
    assert not folder.parent.exists()
    print(f"light control plane: ready in {took:.1f} s")
    assert took < 60  # 4 s on an idle machine; builds may run beside this


def _using(folder: Path) -> list[str]:
    """The command lines of all processes that name this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text()
        except OSError:  # ended meanwhile
            continue
        if str(folder) in line:
            found.append(line)
    return found
