"""A real cert-manager against an API server, and what its certificates are worth."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from services.kubectl import Api
from testbed import binaries, own, recipes

_OTHERS = ("Certificate", "CertificateRequest", "ClusterIssuer", "Issuer")


@contextmanager
def cert_manager(api: Api, folder: Path) -> Iterator[Path]:
    """Run cert-manager with its CRDs until the block ends. Its log."""
    crds = sorted((binaries.sources(*recipes.CERT_MANAGER) / "deploy" / "crds").glob("*.yaml"))
    named = [yaml.safe_load(path.read_text())["metadata"]["name"] for path in crds]
    api.do("apply", "--server-side", *(f"--filename={path}" for path in crds))
    for name in named:  # a CRD without any condition yet is an error to `kubectl wait --for=condition`
        api.do("wait", "--for=jsonpath={.status.acceptedNames.kind}", f"crd/{name}", "--timeout=30s")
        api.do("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    log = folder / "cert-manager.log"
    with log.open("wb") as output:
        process = subprocess.Popen([own.cert_manager(), f"-kubeconfig={api.kubeconfig}"], stdout=output, stderr=output)
    try:
        yield log
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(20)


class Issued:
    """What a Secret of cert-manager's holds."""

    def __init__(self, secret: dict[str, Any]) -> None:
        data = {key: b64decode(value) for key, value in secret["data"].items()}
        self.type, self.labels = secret["type"], secret["metadata"].get("labels") or {}
        self.certificate = x509.load_pem_x509_certificate(data["tls.crt"])
        self.authority = x509.load_pem_x509_certificates(data["ca.crt"])[0]
        self.key = serialization.load_pem_private_key(data["tls.key"], None)

    @property
    def names(self) -> set[str]:
        """The DNS names that it is for."""
        found = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return set(found.value.get_values_for_type(x509.DNSName))

    @property
    def uses(self) -> list[str]:
        """What the key may be used for, by the names of the extended usages, and whether it signs handshakes."""
        extended = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        usage = self.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        plain = ["digitalSignature"] if usage.digital_signature else []
        return [*plain, *(["keyCertSign"] if usage.key_cert_sign else []), *(str(use._name) for use in extended)]

    @property
    def curve(self) -> str:
        """The elliptic curve of the key, which is the certificate's."""
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        assert self.key.public_key() == self.certificate.public_key()
        return self.key.curve.name

    def verify(self, name: str, bundle: str) -> None:
        """As a client does who trusts the bundle. Raises: VerificationError."""
        trusted = Store(x509.load_pem_x509_certificates(bundle.encode()))
        PolicyBuilder().store(trusted).build_server_verifier(x509.DNSName(name)).verify(self.certificate, [])
