"""The planned NetworkPolicies, read by a plain evaluator: exactly the intended edges, whatever the resource says."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edges import COMPONENTS, OTHER_PORT, PORTS, intended
from policies import End, allowed
from unit.operator_plan.plans import migrated, transcriber, whole
from unit.operator_plan.strategies import specs
from whisper_operator.api import names
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.errors import InvalidSpec
from whisper_operator.plan import Manifest, Observed, PlanSettings, desired
from whisper_operator.plan.network_stores import places

SETTINGS = PlanSettings(namespace="whisper-system")
SPACE = "kubernetes.io/metadata.name"
METADATA = ("169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "100.100.100.200", "168.63.129.16", "fe80::1")


def pod(address: str, namespace: str, **labels: str) -> End:
    return End(address, namespace, labels, {SPACE: namespace})


def ours(address: str, component: str, name: str = "main") -> End:
    labels = {names.LABEL_TRANSCRIBER: name, names.LABEL_COMPONENT: component}
    return pod(address, "speech", **labels)


ENDS = {
    **{component: ours(f"10.244.0.{n}", component) for n, component in enumerate(COMPONENTS, 10)},
    "stranger": pod("10.244.0.30", "speech", app="other"),
    "guest": pod("10.244.0.31", "elsewhere", app="other"),
    "operator": pod("10.244.0.32", "whisper-system", **{names.LABEL_COMPONENT: "operator"}),
    "prometheus": pod("10.244.0.33", "monitoring", app="prometheus"),
    "public": End("8.8.8.8"),
    "public6": End("2606:4700::1111"),
    "private": End("192.168.7.7"),
    "database": End("10.1.2.3"),
    "dns": End("10.244.0.1"),
}


def policies(spec: dict[str, Any], values: Any = None) -> list[Manifest]:
    cr = transcriber(**spec)
    seen = Observed(values=values or {}, children=migrated(cr, SETTINGS).children)
    return [m for m in desired(cr, seen, SETTINGS) if m["kind"] == "NetworkPolicy"]


def may(made: list[Manifest], source: str, target: str, port: int | None = None, protocol: str = "TCP") -> bool:
    return allowed(made, ENDS[source], ENDS[target], port or PORTS.get(target, OTHER_PORT), protocol)


def edges() -> Iterator[tuple[str, str, bool]]:
    return ((source, target, expected) for (source, target), expected in intended().items())


def test_the_matrix_is_the_intended_one() -> None:
    made = policies({})
    found = {
        (source, target): may(made, source, target, protocol="UDP" if target == "dns" else "TCP")
        for source, target, _ in edges()
    }
    assert found == dict(intended())


def test_no_other_port_is_open() -> None:
    made = policies({})
    for source, target, _ in edges():
        if target in COMPONENTS:
            assert not may(made, source, target, 22), (source, target)
            assert not may(made, source, target, PORTS.get(target, 1), "UDP"), (source, target)
    assert may(made, "worker", "dns", 53, "TCP")
    assert not may(made, "worker", "public", 53000, "UDP")


def test_another_transcriber_of_the_namespace_is_a_stranger() -> None:
    made = policies({})
    for component in COMPONENTS:
        other = ours("10.244.0.50", component, "second")
        for target in COMPONENTS:
            assert allowed(made, other, ENDS[target], PORTS.get(target, OTHER_PORT)) is (target == "api")


def test_a_pod_of_no_known_component_is_closed() -> None:
    made = policies({})
    new = ours("10.244.0.51", "new")
    assert not [target for target in (*COMPONENTS, "public", "dns") if allowed(made, new, ENDS[target], 8000)]
    assert not [source for source in (*COMPONENTS, "stranger", "operator") if allowed(made, ENDS[source], new, 8000)]


@given(spec=specs)
@settings(max_examples=60, deadline=None)
def test_whatever_the_resource_says(spec: dict[str, Any]) -> None:
    made = [m for m in whole(transcriber(**spec)) if m["kind"] == "NetworkPolicy"]
    selected = [m["spec"]["podSelector"]["matchLabels"].get(names.LABEL_COMPONENT) for m in made]
    outside = {store for store in ("postgres", "redis", "objects") if (spec.get(store) or {}).get("external")}
    assert set(selected) == {*COMPONENTS, None} - outside
    for manifest in made:
        assert manifest["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in manifest["spec"].get("ingress", []):
            assert rule["from"], "a rule without peers means everybody"
    for store in {"postgres", "redis", "objects"} - outside:
        for other in ("stranger", "guest", "public", "private"):
            assert not may(made, other, store)
            assert not may(made, store, other)
    for address in METADATA:
        for source in COMPONENTS:
            assert not allowed(made, ENDS[source], End(address), 80), (source, address)


@pytest.mark.parametrize("field", ["fetch", "output"])
def test_buckets_of_jobs_open_their_own_place_and_no_more(field: str) -> None:
    where = ("http://10.0.0.9:9000", "https://minio.data.svc:9000", "https://s3.example.com", None)
    given = [{"bucket": f"bucket-{n}", **({"endpoint": at} if at else {})} for n, at in enumerate(where)]
    made = policies({field: {"s3": given}})
    assert allowed(made, ENDS["worker"], End("10.0.0.9"), 9000)
    assert not allowed(made, ENDS["worker"], End("10.0.0.9"), 9001)
    assert not allowed(made, ENDS["worker"], End("10.0.0.8"), 9000)
    assert not allowed(made, ENDS["worker"], End("10.0.0.8"), 443), "a name that is not a Service's has to be public"
    assert allowed(made, ENDS["worker"], End("10.0.0.8", "data", {}, {SPACE: "data"}), 9000)
    assert not allowed(made, ENDS["api"], End("10.0.0.9"), 9000)


def test_disabled_makes_none() -> None:
    assert policies({"networkPolicy": {"enabled": False}}) == []


def test_callers_and_prometheus_can_be_named() -> None:
    prometheus = {"namespaceSelector": {"matchLabels": {SPACE: "monitoring"}}, "podSelector": {}}
    ingress = {"api": [{"ipBlock": {"cidr": "192.168.0.0/16", "except": ["192.168.9.0/24"]}}], "metrics": [prometheus]}
    made = policies({"networkPolicy": {"ingress": ingress}})
    assert may(made, "private", "api")
    assert not allowed(made, End("192.168.9.1"), ENDS["api"], 8000)
    assert not may(made, "guest", "api"), "what is given goes before the default"
    assert may(made, "operator", "api"), "jobs are handed over whoever else may call"
    assert may(made, "prometheus", "api")
    assert may(made, "prometheus", "worker")
    assert not may(made, "prometheus", "postgres")
    assert not may(made, "guest", "worker")


def test_a_monitor_that_is_made_finds_the_metrics() -> None:
    def reached(**spec: Any) -> bool:
        cr = transcriber(**spec)
        seen = Observed(children=migrated(cr, SETTINGS).children, served=frozenset({"PodMonitor"}))
        made = [m for m in desired(cr, seen, SETTINGS) if m["kind"] == "NetworkPolicy"]
        assert not may(made, "prometheus", "postgres")
        return may(made, "prometheus", "worker")

    assert reached()
    assert not reached(monitoring={"enabled": False})
    assert not reached(networkPolicy={"ingress": {"metrics": []}})


def test_an_empty_list_of_callers_leaves_the_operator_alone() -> None:
    made = policies({"networkPolicy": {"ingress": {"api": []}}})
    assert [source for source in ENDS if source != "api" and may(made, source, "api")] == ["operator"]


def test_an_operator_outside_the_cluster_and_no_callers_close_the_api() -> None:
    cr = transcriber(networkPolicy={"ingress": {"api": []}})
    made = [m for m in desired(cr, migrated(cr), PlanSettings()) if m["kind"] == "NetworkPolicy"]
    assert not [source for source in ENDS if source != "api" and may(made, source, "api")]


def test_public_addresses_can_be_narrowed_and_closed() -> None:
    public: dict[str, Any] = {"ports": [443], "except": ["8.8.0.0/16", "10.9.0.0/16"]}
    made = policies({"networkPolicy": {"egress": {"public": public}}})
    assert may(made, "worker", "public6", 443)
    assert not may(made, "worker", "public6", 80)
    assert not may(made, "worker", "public", 443)
    assert not allowed(made, ENDS["worker"], End("64:ff9b::808:808"), 443), "the same address behind NAT64"
    for egress in ({"enabled": False}, {"except": ["0.0.0.0/0", "::/0"]}):
        closed = policies({"networkPolicy": {"egress": {"public": egress}}})
        assert not [a for a in ("public", "public6", "private", "guest") if may(closed, "worker", a, 443)]


def test_private_networks_follow_the_fetching_of_audio() -> None:
    made = policies({"fetch": {"allowPrivateNetworks": True}})
    assert all(may(made, "worker", target) for target in ("private", "guest", "stranger", "public"))
    assert not may(made, "api", "private")
    for address in METADATA:
        assert not allowed(made, ENDS["worker"], End(address), 80)


def test_workers_reach_a_mirror() -> None:
    mirror = {"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}], "ports": [8443]}
    made = policies({"networkPolicy": {"egress": {"workers": [mirror], "public": {"enabled": False}}}})
    assert may(made, "worker", "database", 8443)
    assert not may(made, "worker", "database", 443)
    assert not may(made, "api", "database", 8443)


def test_name_servers_can_be_named() -> None:
    servers = {"namespaceSelector": {"matchLabels": {SPACE: "openshift-dns"}}}
    made = policies({"networkPolicy": {"egress": {"dns": {"to": [servers], "ports": [5353]}}}})
    assert not may(made, "api", "dns", 53, "UDP")
    server = pod("10.244.0.60", "openshift-dns")
    assert allowed(made, ENDS["api"], server, 5353, "UDP")
    assert not allowed(made, ENDS["api"], server, 53, "UDP")


PG = {"postgres": {"external": {"secretRef": {"name": "pg"}}}}


def uri(text: str) -> dict[str, dict[str, str]]:
    return {"pg": {"uri": b64encode(text.encode()).decode()}}


def test_an_external_store_is_open_at_its_port() -> None:
    made = policies(PG, uri("postgresql://u:p%40@db.example.com:6432/x"))
    for source in ("api", "worker", "migrate"):
        assert may(made, source, "private", 6432)
        assert not may(made, source, "private", 5432)
        assert not may(made, source, "guest", 22)
    assert not may(policies(PG, uri("postgresql://u:p@10.1.2.3/x")), "api", "private", 5432)
    assert may(policies(PG, uri("postgresql://u:p@10.1.2.3/x")), "api", "database", 5432)
    assert may(policies(PG), "api", "private", 5432), "the Secret is not there yet"
    assert may(policies(PG, {"pg": {"uri": "no base64 at all"}}), "api", "private", 5432)


@pytest.mark.parametrize(
    ("host", "reached", "not_reached"),
    [
        ("db.elsewhere.svc", "guest", "stranger"),
        ("x.db.elsewhere.svc.cluster.local", "guest", "stranger"),
        ("db", "stranger", "guest"),
    ],
)
def test_a_service_may_lead_to_another_port(host: str, reached: str, not_reached: str) -> None:
    made = policies(PG, uri(f"postgresql://u:p@{host}/x"))
    assert may(made, "api", reached, 9999)
    assert not may(made, "api", not_reached, 9999)


def test_the_user_knows_best_where_a_store_is() -> None:
    egress = {"postgres": {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [5432]}}
    made = policies({**PG, "networkPolicy": {"egress": egress}}, uri("postgresql://u:p@db.example.com:6432/x"))
    assert may(made, "api", "database", 5432)
    assert not may(made, "api", "database", 6432)
    assert not may(made, "api", "private", 5432)
    objects = {"external": {"endpoint": "http://s3.example.com", "bucket": "abc", "secretRef": {"name": "s3"}}}
    for endpoint, port in (("http://s3.example.com", 80), ("https://s3.example.com", 443), ("https://s3:9000/", 9000)):
        made = policies({"objects": {"external": {**objects["external"], "endpoint": endpoint}}})
        assert [p for p in (80, 443, 9000) if may(made, "migrate", "private", p)] == [port]


def test_places_in_uris() -> None:
    assert places("postgresql://u:p@a:1,b,[::1]:2/x?y=z", 5432) == [("a", 1), ("b", 5432), ("::1", 2)]
    assert places("redis://:p@r:6380/0", 6379) == [("r", 6380)]
    assert places("redis://r:x/0", 6379) == [("r", 6379)]
    assert places("", 1) == places("nonsense", 1) == []


REDIS = {"redis": {"external": {"secretRef": {"name": "pg"}}}}


def test_sentinels_are_open_and_so_are_the_servers_that_they_name() -> None:
    made = policies(REDIS, uri("redis+sentinel://:p@10.1.2.3,10.1.2.4:26380/bells"))
    for source in ("api", "worker"):
        assert may(made, source, "database", 26379)
        assert not may(made, source, "database", 26380)
        assert may(made, source, "private", 6379), "a Sentinel may name any server"
        assert not may(made, source, "private", 26379)
    assert not may(made, "migrate", "database", 26379)
    egress = {"networkPolicy": {"egress": {"redis": {"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}], "ports": [26379]}}}}
    assert not may(policies({**REDIS, **egress}, uri("redis+sentinel://10.1.2.3/bells")), "api", "private", 6379)


def test_the_nodes_of_a_cluster_are_open() -> None:
    made = policies(REDIS, uri("rediss+cluster://:p@10.1.2.3:7000,10.1.2.4"))
    assert may(made, "api", "database", 7000)
    assert not may(made, "api", "database", 6379)
    assert allowed(made, ENDS["api"], End("10.1.2.4"), 6379)


@given(st.text(max_size=40))
def test_any_text_in_a_secret_is_survived(text: str) -> None:
    assert policies(PG, uri(text))
    assert all(0 < port < 65536 for _, port in places(text, 5432))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"egress": {"postgres": {}}}, "networkPolicy.egress.postgres is for one of yours"),
        ({"ingress": {"api": [{}]}}, "spec.networkPolicy.ingress.api[0]"),
        ({"ingress": {"api": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}}, "either ipBlock, or pod"),
        ({"ingress": {"api": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}}, "spec.networkPolicy.ingress.api[0].ipBlock.cidr"),
        ({"egress": {"public": {"except": ["1.2.3/24"]}}}, "spec.networkPolicy.egress.public.except[0]"),
        ({"egress": {"public": {"enabled": False, "ports": [443]}}}, "spec.networkPolicy.egress.public"),
    ],
)
def test_what_makes_no_sense_is_said_by_field(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        WhisperTranscriber.parse({"metadata": {"name": "main", "namespace": "speech"}, "spec": {"networkPolicy": spec}})
    assert says in str(refusal.value)
