"""NetworkPolicies: every pod is closed both ways, and each component has exactly the edges that it needs."""

from typing import Any

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan import exporters
from whisper_operator.plan import network_stores as external
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, manifest
from whisper_operator.plan.network_addresses import PRIVATE, Block, public

_EVERY_POD: Manifest = {"namespaceSelector": {}}
# Who keeps state where: a migration makes the schema and the bucket.
_DATABASE = (Component.API, Component.WORKER, Component.MIGRATE)
_QUEUE = (Component.API, Component.WORKER)
_METRICS = {Component.POSTGRES: names.POSTGRES_METRICS_PORT, Component.REDIS: names.REDIS_METRICS_PORT}
_BUCKET = (Component.API, Component.WORKER, Component.MIGRATE)


def network(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings) -> list[Manifest]:
    """A policy for each component, and one that closes any other pod of this transcriber; nothing where disabled.

    The node's own connections, the kubelet's probes among them, always pass: no policy of Kubernetes can forbid them.
    """
    if not cr.spec.network_policy.enabled:
        return []
    spec = cr.spec
    made = [
        _policy(
            cr,
            Component.API,
            _api(cr, observed, settings),
            [*_dns(cr), *_stores(cr, Component.API, observed), *_collector(cr)],
        ),
        _policy(
            cr,
            Component.WORKER,
            _from([*_operators(settings), *_watchers(cr, observed)], names.API_PORT),
            [*_dns(cr), *_stores(cr, Component.WORKER, observed), *_collector(cr), *_out(cr)],
        ),
        _policy(cr, Component.MIGRATE, [], [*_dns(cr), *_stores(cr, Component.MIGRATE, observed)]),
    ]
    kept = (
        (spec.postgres.external, Component.POSTGRES, _DATABASE, names.POSTGRES_PORT),
        (spec.redis.external, Component.REDIS, _QUEUE, names.REDIS_PORT),
        (spec.objects.external, Component.OBJECTS, _BUCKET, names.OBJECTS_PORT),
    )
    watched = dict.fromkeys((component for component, _ in exporters.of(cr)), _watchers(cr, observed))
    made += [
        _policy(
            cr,
            component,
            [*_from([_pods(cr, *clients)], port), *_from(watched.get(component, []), _METRICS.get(component, 0))],
            [],
        )
        for outside, component, clients, port in kept
        if not outside
    ]
    # The last: while they are made for a service that runs, none of its connections is refused.
    rest = {"podSelector": {"matchLabels": {names.LABEL_TRANSCRIBER: cr.name}}, "policyTypes": ["Ingress", "Egress"]}
    return [*made, _manifest(cr, names.child(cr.name, "default-deny"), None, rest)]


def _watchers(cr: WhisperTranscriber, observed: Observed) -> list[Manifest]:
    """Who reads metrics. A monitor that we make must find them, and where its Prometheus runs it does not say."""
    given = cr.spec.network_policy.ingress.metrics
    if given is not None:
        return external.peers(given)
    return [_EVERY_POD] if cr.spec.monitoring.enabled and "PodMonitor" in observed.served else []


def _api(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings) -> list[Manifest]:
    given = cr.spec.network_policy.ingress.api
    callers = [_EVERY_POD] if given is None else external.peers(given)
    return _from([*_operators(settings), *callers, *_watchers(cr, observed)], names.API_PORT)


def _operators(settings: PlanSettings) -> list[Manifest]:
    """The operator hands jobs to the API, and asks pods what keeps them from being ready."""
    peer = {
        "namespaceSelector": {"matchLabels": {external.NAMESPACE_NAME: settings.namespace}},
        "podSelector": {"matchLabels": {names.LABEL_COMPONENT: names.OPERATOR}},
    }
    return [peer] if settings.namespace else []


def _stores(cr: WhisperTranscriber, component: Component, observed: Observed) -> list[Manifest]:
    """Egress of a component to the stores that it uses."""
    spec, values = cr.spec, observed.values
    made: list[Manifest] = []
    if component in _DATABASE:
        ours = [_to(cr, Component.POSTGRES, names.POSTGRES_PORT)]
        made += external.postgres(cr, values) if spec.postgres.external else ours
    if component in _QUEUE:
        ours = [_to(cr, Component.REDIS, names.REDIS_PORT)]
        made += external.redis(cr, values) if spec.redis.external else ours
    if component in _BUCKET:
        ours = [_to(cr, Component.OBJECTS, names.OBJECTS_PORT)]
        made += external.objects(cr) if spec.objects.external else ours
    return made


def _to(cr: WhisperTranscriber, component: Component, port: int) -> Manifest:
    return {"to": [_pods(cr, component)], "ports": external.ports((port,))}


def _dns(cr: WhisperTranscriber) -> list[Manifest]:
    dns = cr.spec.network_policy.egress.dns
    ports = [{"protocol": protocol, "port": port} for port in dns.ports for protocol in ("UDP", "TCP")]
    return [{**({"to": external.peers(dns.to)} if dns.to else {}), "ports": ports}]


def _collector(cr: WhisperTranscriber) -> list[Manifest]:
    """Egress to where traces go: as the user says, or as far as the endpoint tells.

    A name that is not a Service's has to be public: workers fetch what users name, and shall not be let out to every
    address for its sake.
    """
    given, egress = cr.spec.tracing, cr.spec.network_policy.egress
    if given is None:
        return []
    if egress.tracing:
        return [external.rule(egress.tracing)]
    known = external.named(given.endpoint)
    if known or not egress.public.enabled:
        return known
    blocks = [_block(block) for block in public(egress.public.except_)]
    return [{"to": blocks, "ports": external.ports(external.web_port(given.endpoint))}] if blocks else []


def _out(cr: WhisperTranscriber) -> list[Manifest]:
    """Egress of workers, which fetch: audio by URL, and models."""
    egress = cr.spec.network_policy.egress
    made: list[Manifest] = []
    if egress.public.enabled:
        blocks = [_block(block) for block in public(egress.public.except_)]
        # A rule without peers would mean everybody.
        made += [{"to": blocks, "ports": external.ports(egress.public.ports)}] if blocks else []
    if cr.spec.fetch.allow_private_networks:
        made.append({"to": [_EVERY_POD, *map(_block, PRIVATE)], "ports": external.ports(())})
    for each in (*cr.spec.fetch.s3, *cr.spec.output.s3):
        made += external.named(each.endpoint) if each.endpoint else []
    return [*made, *(external.rule(destination) for destination in egress.workers)]


def _pods(cr: WhisperTranscriber, *components: Component) -> Manifest:
    """The pods of these components of this transcriber."""
    if len(components) == 1:
        return {"podSelector": {"matchLabels": names.selector(cr.name, components[0])}}
    values = [str(component) for component in components]
    any_of = [{"key": names.LABEL_COMPONENT, "operator": "In", "values": values}]
    return {"podSelector": {"matchLabels": {names.LABEL_TRANSCRIBER: cr.name}, "matchExpressions": any_of}}


def _block(block: Block) -> Manifest:
    return {"ipBlock": {"cidr": block.cidr, **({"except": list(block.holes)} if block.holes else {})}}


def _from(peers: list[Manifest], port: int) -> list[Manifest]:
    """Ingress: one rule, or none, since a rule without peers would mean everybody."""
    return [{"from": peers, "ports": external.ports((port,))}] if peers else []


def _policy(cr: WhisperTranscriber, component: Component, ingress: list[Manifest], egress: list[Manifest]) -> Manifest:
    spec: dict[str, Any] = {
        "podSelector": {"matchLabels": names.selector(cr.name, component)},
        "policyTypes": ["Ingress", "Egress"],
        **({"ingress": ingress} if ingress else {}),
        **({"egress": egress} if egress else {}),
    }
    return _manifest(cr, names.child(cr.name, str(component)), component, spec)


def _manifest(cr: WhisperTranscriber, name: str, component: Component | None, spec: Manifest) -> Manifest:
    return manifest("networking.k8s.io/v1", "NetworkPolicy", cr, name, component, spec=spec)
