"""TLS between the parts of a service, and of its API."""

from typing import Annotated

from pydantic import Field, StringConstraints

from whisper_operator.api.v1alpha1.base import UNIQUE, Model, ObjectName

DnsName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        min_length=1,
        max_length=253,
    ),
]


class IssuerRef(Model):
    """An issuer of cert-manager's."""

    name: ObjectName = Field(description="Name of the issuer; an Issuer must be in the namespace of this resource.")
    kind: str = Field("Issuer", max_length=63, description="Issuer, ClusterIssuer, or the kind of an external issuer.")
    group: str = Field("cert-manager.io", max_length=253, description="API group of the issuer.")


class CertManager(Model):
    """Certificates by cert-manager (cert-manager.io/v1)."""

    issuer_ref: IssuerRef | None = Field(
        None,
        description="Who signs. It must be able to sign names of Services and to tell its CA (ca.crt): a CA, Vault or "
        "similar issuer, not ACME. Default: an Issuer <name>-ca that is made over the operator's own CA.",
    )


class ApiTls(Model):
    """TLS of the API itself."""

    enabled: bool = Field(
        False,
        description="Serve the API over HTTPS (Service port 443). Usually an Ingress ends TLS, and this stays false.",
    )
    dns_names: tuple[DnsName, ...] = Field(
        (),
        max_length=32,
        json_schema_extra=UNIQUE,
        description="Names in the API's certificate beside those of its Service, such as whisper.example.com.",
    )


class Tls(Model):
    """How connections between API, workers and the managed stores are encrypted."""

    enabled: bool = Field(
        True,
        description="Encrypt and verify the connections to the managed PostgreSQL, Redis and object store. Turn it off "
        "only where something else does it, such as a service mesh. A change restarts all pods.",
    )
    cert_manager: CertManager | None = Field(
        None,
        description="Let cert-manager make the certificates. Default: the operator makes them with a CA of its own.",
    )
    api: ApiTls = Field(ApiTls(), description="TLS of the API itself.")

    @property
    def serves(self) -> bool:
        """Whether the API itself speaks TLS."""
        return self.enabled and self.api.enabled
