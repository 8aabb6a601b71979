"""Certificates of a cluster, made by openssl: one authority, elliptic keys (they cost milliseconds)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.shell import run

_DAYS = "365"
_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]


@dataclass(frozen=True)
class Identification:
    """Who a certificate is for; groups are Kubernetes groups, names are `IP:…` and `DNS:…`."""

    file: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def subject(self) -> str:
        """As openssl wants it: groups are O, the user is CN."""
        return "".join(f"/O={group}" for group in self.groups) + f"/CN={self.user}"


def make(folder: Path, people: Sequence[Identification]) -> None:
    """ca.crt, ca.key, sa.pub, sa.key (service account tokens) and FILE.crt, FILE.key for each of `people`."""
    folder.mkdir(mode=0o700, parents=True)
    ca: list[str | Path] = [
        "-subj",
        "/CN=testbed-ca",
        "-days",
        _DAYS,
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca.crt",
    ]
    run(["openssl", "req", "-x509", *_CURVE, *ca, "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "sa.key"])
    run(["openssl", "pkey", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"])
    for person in people:
        _issue(folder, person)


def _issue(folder: Path, person: Identification) -> None:
    key, request, certificate = (folder / f"{person.file}.{kind}" for kind in ("key", "csr", "crt"))
    extensions = folder / f"{person.file}.ext"
    extensions.write_text(f"subjectAltName={','.join(person.names or (f'DNS:{person.file}',))}\n")
    run(["openssl", "req", *_CURVE, "-subj", person.subject(), "-keyout", key, "-out", request])
    authority: list[str | Path] = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial"]
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            request,
            *authority,
            "-days",
            _DAYS,
            "-extfile",
            extensions,
            "-out",
            certificate,
        ]
    )
    request.unlink()
    extensions.unlink()
