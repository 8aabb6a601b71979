"""Where stores that are not ours are, as far as their URIs tell: NetworkPolicies know addresses, not names."""

from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.network import Destination, Peer
from whisper_operator.api.v1alpha1.stores import SecretUri
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest

NAMESPACE_NAME = "kubernetes.io/metadata.name"
_SCHEMES = {"http": 80, "https": 443}
Values = Mapping[str, Mapping[str, str]]


def postgres(cr: WhisperTranscriber, values: Values) -> list[Manifest]:
    """Rules for egress to an external PostgreSQL."""
    external = cr.spec.postgres.external
    uri = _secret(external.secret_ref, values) if external else ""
    return _rules(cr.spec.network_policy.egress.postgres, uri, names.POSTGRES_PORT)


def redis(cr: WhisperTranscriber, values: Values) -> list[Manifest]:
    """Rules for egress to an external Redis; where Sentinels know the servers, to any server at Redis' own port too."""
    external, given = cr.spec.redis.external, cr.spec.network_policy.egress.redis
    uri = _secret(external.secret_ref, values) if external else ""
    if given or "+sentinel:" not in uri.partition("/")[0]:
        return _rules(given, uri, names.REDIS_PORT)
    return [*_rules(None, uri, names.SENTINEL_PORT), {"ports": ports((names.REDIS_PORT,))}]


def objects(cr: WhisperTranscriber) -> list[Manifest]:
    """Rules for egress to an external object store."""
    external = cr.spec.objects.external
    uri = external.endpoint if external else ""
    return _rules(cr.spec.network_policy.egress.objects, uri, _scheme(uri))


def named(endpoint: str) -> list[Manifest]:
    """Rules for egress to what an http(s) URL names: an address, or a Service's pods; none for any other name.

    Whoever fetches what users name shall not be let out to every address for the sake of one name: it has to be public.
    """
    found = _rules(None, endpoint, _scheme(endpoint))
    return [rule for rule in found if "to" in rule]


def web_port(endpoint: str) -> tuple[int, ...]:
    """The port of an http(s) URL."""
    return tuple(port for _, port in places(endpoint, _scheme(endpoint))[:1])


def _scheme(url: str) -> int:
    return _SCHEMES["http" if url.startswith("http:") else "https"]


def rule(given: Destination) -> Manifest:
    """A rule for egress to what a user names."""
    return {**({"to": peers(given.to)} if given.to else {}), "ports": ports(given.ports)}


def peers(given: Sequence[Peer]) -> list[Manifest]:
    """What a user says, as a NetworkPolicy has it: an empty selector stays, an absent one stays absent."""
    return [peer.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True) for peer in given]


def ports(numbers: tuple[int, ...]) -> list[Manifest]:
    """TCP ports of a rule; none given: all of TCP."""
    return [{"protocol": "TCP", "port": number} for number in numbers] or [{"protocol": "TCP"}]


def places(uri: str, default: int) -> list[tuple[str, int]]:
    """Hosts and ports of a URI, which may name several: `postgresql://u:p@a:5432,b/x` → a at 5432, b at `default`."""
    authority = uri.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return [_place(part, default) for part in authority.split(",") if part]


def _place(text: str, default: int) -> tuple[str, int]:
    host, _, rest = text[1:].partition("]") if text.startswith("[") else text.partition(":")
    port = rest.removeprefix(":")
    return host, int(port) if port.isdecimal() and 0 < int(port) < 65536 else default


def _secret(reference: SecretUri, values: Values) -> str:
    """The URI in a Secret; "" while it is not there or is no text."""
    try:
        return b64decode(values.get(reference.name, {}).get(reference.key, "")).decode()
    except (Error, UnicodeDecodeError):
        return ""


def _rules(given: Destination | None, uri: str, default: int) -> list[Manifest]:
    """What the user says, else what the URI tells: an address, or any address at that port.

    A name of a Service (`pg.db.svc`, or `pg`) may lead to pods at another port: those of its namespace are allowed too.
    """
    if given:
        return [rule(given)]
    found = places(uri, default) or [("", default)]
    made = [{**_address(host), "ports": ports((port,))} for host, port in found]
    made += [{"to": [peer], "ports": ports(())} for host, _ in found if (peer := _service(host))]
    return [item for index, item in enumerate(made) if item not in made[:index]]


def _address(host: str) -> Manifest:
    try:
        address = ip_address(host)
    except ValueError:
        return {}
    return {"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}]}


def _service(host: str) -> Manifest | None:
    """The pods of the namespace that a Service's name, or that of a pod behind it, belongs to."""
    labels = host.rstrip(".").split(".")
    if len(labels) == 1:
        return {"podSelector": {}} if host and not _address(host) else None
    place = next((i for i in (2, 3) if labels[i : i + 1] == ["svc"]), None)
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: labels[place - 1]}}} if place else None
