"""Kubeconfig files that stand alone: certificates are inside, so a copy works anywhere on the machine."""

import base64
from pathlib import Path
from typing import Any

import yaml


def document(name: str, server: str, *, ca: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A kubeconfig with one cluster, one user and one context, all called `name`."""

    def inline(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    user = {"client-certificate-data": inline(certificate), "client-key-data": inline(key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": inline(ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write(file: Path, name: str, server: str, pki: Path, person: str) -> Path:
    """The kubeconfig of pki/PERSON.crt for the API server at `server` (a URL), readable by its owner only."""
    ca, certificate, key = ((pki / part).read_bytes() for part in ("ca.crt", f"{person}.crt", f"{person}.key"))
    text = yaml.safe_dump(document(name, server, ca=ca, certificate=certificate, key=key), sort_keys=False)
    part = file.with_name(f".{file.name}.part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(file)
    return file
