"""Who may talk to a transcriber's pods, and whom they may talk to."""

from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from whisper_operator.api.v1alpha1.base import UNIQUE, Model, rules
from whisper_operator.api.v1alpha1.pods import LabelKey, LabelValue

Port = Annotated[int, Field(ge=1, le=65535)]


def _network(text: str) -> str:
    """Raises ValueError for what is no network: the API server of Kubernetes 1.30 has no words to check that in CEL."""
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{error}: write a network such as 10.0.0.0/8, or a single address such as 10.0.0.5/32"
        ) from None
    return text


Cidr = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-fA-F:.]+/[0-9]{1,3}$", max_length=64), AfterValidator(_network)
]


class LabelExpression(Model):
    """One requirement on a label."""

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How key and values relate.")
    values: tuple[LabelValue, ...] = Field(
        (), max_length=32, description="Values for In and NotIn; none for Exists and DoesNotExist."
    )


class LabelSelector(Model):
    """Labels; an empty selector selects everything."""

    match_labels: dict[LabelKey, LabelValue] = Field({}, max_length=32, description="Labels with these values.")
    match_expressions: tuple[LabelExpression, ...] = Field((), max_length=32, description="More requirements.")


class IpBlock(Model):
    """A network without parts of it."""

    cidr: Cidr = Field(description="Network, such as 10.20.0.0/16 or 2001:db8::/32.")
    except_: tuple[Cidr, ...] = Field(
        (), alias="except", max_length=64, description="Parts of it that do not count. Default: none."
    )


class Peer(
    Model,
    json_schema_extra=rules(
        (
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "spec.networkPolicy: a peer takes either ipBlock, or podSelector and namespaceSelector: give one of them",
        )
    ),
):
    """The other end of a connection, as in a NetworkPolicy: pods by label, or addresses."""

    namespace_selector: LabelSelector | None = Field(
        None, description="Namespaces of the pods; {} means all. Absent: the namespace of this resource."
    )
    pod_selector: LabelSelector | None = Field(None, description="Pods in those namespaces. Absent or {}: all of them.")
    ip_block: IpBlock | None = Field(None, description="Addresses that are no pods.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.ip_block is None) == (self.pod_selector is None and self.namespace_selector is None):
            raise ValueError("takes either ipBlock, or podSelector and namespaceSelector: give one of the two")
        return self


def _peers(description: str, **more: Any) -> Any:
    return Field(None, max_length=32, description=description, **more)


class Destination(Model):
    """Where pods may connect to, by TCP."""

    to: tuple[Peer, ...] | None = _peers("Who is there. Absent or []: any address.")
    ports: tuple[Port, ...] = Field(
        (), max_length=32, json_schema_extra=UNIQUE, description="Ports of the pods or servers there. Default: all."
    )


class Ingress(Model):
    """Who may connect."""

    api: tuple[Peer, ...] | None = _peers(
        "Who may call the API. Default: every pod of the cluster. An ingress controller on the host's network, or "
        "clients from outside at a LoadBalancer or NodePort, need an ipBlock here. [] leaves the operator alone."
    )
    metrics: tuple[Peer, ...] | None = _peers(
        "Who may read the metrics of API and workers, such as Prometheus. Default: every pod of the cluster where a "
        "PodMonitor is made (spec.monitoring), else nobody. [] is nobody."
    )


class Dns(Model):
    """The cluster's name servers, by UDP and TCP."""

    to: tuple[Peer, ...] | None = _peers("Where they are. Absent or []: any address.")
    ports: tuple[Port, ...] = Field(
        (53,),
        min_length=1,
        max_length=8,
        json_schema_extra=UNIQUE,
        description="Their ports, of the pods and not of the Service: 53, on OpenShift 5353.",
    )


class PublicEgress(
    Model,
    json_schema_extra=rules(
        (
            "self.enabled || !(has(self.except) && self.except.size() > 0 || has(self.ports) && self.ports.size() > 0)",
            "spec.networkPolicy.egress.public: except and ports say nothing while enabled is false: remove them",
        )
    ),
):
    """Public addresses: 0.0.0.0/0 and 2000::/3 without private, link-local, loopback and reserved networks."""

    enabled: bool = Field(
        True, description="Let workers connect there: audio by URL, models from a hub. The API never needs it."
    )
    except_: tuple[Cidr, ...] = Field(
        (),
        alias="except",
        max_length=32,
        description="More networks that stay closed, such as public addresses of your own pods. Default: none.",
    )
    ports: tuple[Port, ...] = Field(
        (), max_length=32, json_schema_extra=UNIQUE, description="Only these TCP ports, such as 443. Default: all."
    )

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if not self.enabled and (self.except_ or self.ports):
            raise ValueError("except and ports say nothing while enabled is false: remove them")
        return self


class Egress(Model):
    """Where pods may connect to, beyond the stores that the operator runs."""

    dns: Dns = Field(Dns(), json_schema_extra={"x-default": {}}, description="Name servers.")
    public: PublicEgress = Field(
        PublicEgress(), json_schema_extra={"x-default": {}}, description="Public addresses, for workers."
    )
    postgres: Destination | None = Field(
        None, description="Your PostgreSQL. Default: any address, at the port that its URI says."
    )
    redis: Destination | None = Field(
        None, description="Your Redis. Default: any address, at the port that its URI says."
    )
    objects: Destination | None = Field(
        None, description="Your object store. Default: any address, at the port of its endpoint."
    )
    tracing: Destination | None = Field(
        None,
        description="The collector of traces. Default: the address in spec.tracing.endpoint, or the pods in the "
        "namespace of the Service that it names; else public addresses at its port, unless public is closed.",
    )
    workers: tuple[Destination, ...] = Field(
        (), max_length=16, description="More for workers, such as a mirror of the hub or a private S3. Default: none."
    )


class NetworkPolicy(Model):
    """NetworkPolicies: everything is closed both ways but what the service needs. The cluster's network must enforce
    them."""

    enabled: bool = Field(True, description="Make them. false removes those that the operator made.")
    ingress: Ingress = Field(Ingress(), json_schema_extra={"x-default": {}}, description="Who may connect.")
    egress: Egress = Field(
        Egress(), json_schema_extra={"x-default": {}}, description="Where pods may connect to, beyond their stores."
    )
