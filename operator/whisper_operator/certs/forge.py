"""Keys and certificates: made and read, nothing decided. ECDSA P-256, PEM.

Keys are in `Pair.key` only, which no repr shows; errors never carry what could not be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
BACKDATED = timedelta(minutes=5)
"""Clocks differ: a certificate that is valid from now on is not valid yet elsewhere."""


_remembered = lru_cache(maxsize=8192)
"""Each look at a transcriber reads the same few certificates, which hardly ever change."""


class Unreadable(Exception):
    """What should be a certificate or its key is none, or the two do not belong together."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Certificate:
    """What decisions are made from. `start` is when it was made, not its backdated notBefore."""

    pem: str
    serial: int
    start: datetime
    end: datetime
    names: frozenset[str]
    issuer: str
    subject: str

    @property
    def renewal(self) -> datetime:
        """When two thirds of its life are over."""
        return self.start + (self.end - self.start) * 2 / 3


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """An authority's key signs certificates and nothing else, a server's handshakes and nothing else."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def authority(name: str, now: datetime) -> Pair:
    """A new certificate authority; each has a subject of its own, so that two of them can be told apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA {serial & 0xFFFFFFFF:08x}")])
    builder = (
        _builder(subject, subject, key.public_key(), serial, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _signed(builder, key, key)


def leaf(signer: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A server's certificate for these DNS names. It never outlives its signer. Raises: Unreadable."""
    signing, issued_by = _private(signer.key), _load(signer.certificate)
    key, serial = ec.generate_private_key(ec.SECP256R1()), x509.random_serial_number()
    # A common name has room for 64 characters; nobody reads it any more, names are in the extension.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    life = min(LEAF_LIFE, issued_by.not_valid_after_utc - now)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    builder = (
        _builder(subject, issued_by.subject, key.public_key(), serial, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(authority_key, critical=False)
    )
    return _signed(builder, key, signing)


@_remembered
def read(pem: str, key: str | None = None) -> Certificate:
    """The first certificate of a PEM text; with `key` that is proven to belong to it. Raises: Unreadable."""
    found = _load(pem)
    if key is not None and _public(found) != _raw(_private(key).public_key()):
        raise Unreadable("the key does not belong to the certificate")
    try:
        alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = frozenset(alternative.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, ValueError):
        names = frozenset()
    return Certificate(
        pem=found.public_bytes(serialization.Encoding.PEM).decode(),
        serial=found.serial_number,
        start=found.not_valid_before_utc + BACKDATED,
        end=found.not_valid_after_utc,
        names=names,
        issuer=found.issuer.rfc4514_string(),
        subject=found.subject.rfc4514_string(),
    )


@_remembered
def authorities(pem: str) -> tuple[Certificate, ...]:
    """Every certificate of a PEM text. Raises: Unreadable."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Unreadable("not a list of certificates in PEM") from error
    return tuple(read(one.public_bytes(serialization.Encoding.PEM).decode()) for one in found)


@_remembered
def issued(certificate: Certificate, by: Certificate) -> bool:
    """Whether `by` signed the certificate."""
    try:
        _load(certificate.pem).verify_directly_issued_by(_load(by.pem))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    serial: int,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signing: ec.EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate.decode(), private.decode())


def _load(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise Unreadable("not a certificate in PEM") from error


def _private(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unreadable("not a private key in PEM") from None
    return key  # type: ignore[return-value]  # cert-manager may make others, of which only the public half is asked


def _public(certificate: x509.Certificate) -> bytes:
    return _raw(certificate.public_key())


def _raw(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]  # every kind of public key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
