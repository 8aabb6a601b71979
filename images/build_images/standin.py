"""The stand-in for Debian's image: the same packages, from the same archive, made by mmdebstrap."""

import hashlib
from pathlib import Path
from typing import Final

CERTIFICATES: Final = Path("/usr/local/share/ca-certificates")

# What the slim image leaves out: manuals and documents, but not the licences.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
COMMAND: Final = (
    "mmdebstrap",
    "--variant=minbase",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "trixie",
)
"""The target archive's path is to follow."""


def certificates() -> list[Path]:
    """The authorities that this machine trusts beside the public ones: the way to the registries may need them.

    They are put into the stand-in alone, where the Dockerfiles' ca-certificates finds them; no Dockerfile knows them.
    """
    return sorted(CERTIFICATES.glob("*.crt"))


def config() -> list[str]:
    """What `buildah config` sets on it. pip has its own list of authorities unless it is told otherwise."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    trust = ["--env", "PIP_CERT=/etc/ssl/certs/ca-certificates.crt"] if certificates() else []
    return ["--env", path, *trust, "--cmd", "bash"]


def identity() -> str:
    """Changes when the stand-in would be made differently; not when Debian publishes updates."""
    sums = hashlib.sha256(repr((COMMAND, config())).encode())
    for certificate in certificates():
        sums.update(certificate.read_bytes())
    return f"stand-in-{sums.hexdigest()[:16]}"
