"""What the chart renders: rights, safety, scopes, switches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies import End, allowed
from whisper_operator.api.names import LABEL_COMPONENT, OPERATOR
from whisper_operator.settings import load

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "whisper-operator"


def of_kind(manifests: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [m for m in manifests if m["kind"] in kinds]


def granted(manifests: list[dict[str, Any]], resource: str) -> set[str]:
    """Every verb that any role of the operator grants on a resource."""
    roles = of_kind(manifests, "ClusterRole", "Role")
    rules = [rule for role in roles for rule in role["rules"] if resource in rule["resources"]]
    return {verb for rule in rules for verb in rule["verbs"]}


def test_lint_has_nothing_to_say(helm: Any) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


SCOPES = pytest.mark.parametrize("values", [(), ("watch.namespaces={one,two}",)], ids=["cluster", "namespaces"])


@SCOPES
def test_rights_are_the_least(render: Any, values: tuple[str, ...]) -> None:
    manifests = render(*values)
    for role in of_kind(manifests, "ClusterRole", "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
    assert granted(manifests, "secrets") == {"get", "create", "patch"}
    assert "delete" not in granted(manifests, "persistentvolumeclaims")
    assert not granted(manifests, "pods/exec")
    assert not granted(manifests, "nodes")


def test_namespaced_scope_needs_no_cluster_role_of_the_operator(render: Any) -> None:
    manifests = render("watch.namespaces={one,two}", "rbac.aggregate=false")
    assert not of_kind(manifests, "ClusterRole", "ClusterRoleBinding")
    served = {m["metadata"]["namespace"] for m in of_kind(manifests, "Role")}
    assert served == {"one", "two", "whisper-system"}
    assert environment(manifests)["WHISPER_OPERATOR_NAMESPACES"] == "one,two"


def test_every_binding_names_the_pods_account(render: Any) -> None:
    for values in ((), ("watch.namespaces={one}",), ("serviceAccount.create=false", "serviceAccount.name=given")):
        manifests = render(*values)
        account = pod(manifests)["serviceAccountName"]
        bindings = of_kind(manifests, "ClusterRoleBinding", "RoleBinding")
        roles = {(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests}
        assert bindings
        for binding in bindings:
            subject = {"kind": "ServiceAccount", "name": account, "namespace": "whisper-system"}
            assert binding["subjects"] == [subject]
            reference = binding["roleRef"]
            assert (reference["kind"], binding["metadata"].get("namespace"), reference["name"]) in roles


def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The pod spec of the operator's Deployment."""
    (deployment,) = of_kind(manifests, "Deployment")
    return dict(deployment["spec"]["template"]["spec"])


def environment(manifests: list[dict[str, Any]]) -> dict[str, str]:
    return {e["name"]: e.get("value", "") for e in pod(manifests)["containers"][0]["env"]}


def test_the_operator_reads_every_variable_that_the_chart_sets(render: Any) -> None:
    env = environment(
        render(
            *("watch.namespaces={one,two}", "transcriber.images.registry=registry.example.com", "logLevel=DEBUG"),
            *("transcriber.images.pullSecrets[0].name=a", "transcriber.images.pullSecrets[1].name=b"),
        )
    )
    settings = load(["run"], {**env, "POD_NAMESPACE": "whisper-system", "POD_NAME": "a"})
    assert settings.namespaces == ("one", "two")
    assert settings.image_registry == "registry.example.com"
    assert settings.image_pull_secrets == ("a", "b")
    assert settings.lease_namespace == "whisper-system"
    assert settings.log_level == "DEBUG"
    own = {name.removeprefix("WHISPER_OPERATOR_").lower() for name in env if name.startswith("WHISPER_OPERATOR_")}
    assert own <= set(vars(settings))


def test_crds_are_the_generated_ones_and_are_kept(render: Any) -> None:
    rendered = {m["metadata"]["name"]: m for m in of_kind(render(), "CustomResourceDefinition")}
    generated = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert len(rendered) == len(generated) > 0
    for crd in generated:
        mine = rendered[crd["metadata"]["name"]]
        assert mine["spec"] == crd["spec"]
        assert mine["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_nothing_that_uninstall_deletes_holds_data(render: Any) -> None:
    kept = {"CustomResourceDefinition"}
    data = {"Namespace", "Secret", "PersistentVolumeClaim", "WhisperTranscriber", "TranscriptionJob"}
    for manifest in render():
        annotations = manifest["metadata"].get("annotations", {})
        assert manifest["kind"] not in data
        assert manifest["kind"] not in kept or annotations["helm.sh/resource-policy"] == "keep"
        assert annotations.get("helm.sh/hook", "test") == "test"


def test_switches(render: Any) -> None:
    off = render("crds.install=false", "rbac.create=false", "rbac.aggregate=false", "metrics.service.enabled=false")
    assert {m["kind"] for m in off} == {"ServiceAccount", "Deployment", "PodDisruptionBudget", "NetworkPolicy"}
    assert not of_kind(render("replicas=1"), "PodDisruptionBudget")
    monitor = render("metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus")
    (found,) = of_kind(monitor, "ServiceMonitor")
    assert found["metadata"]["labels"]["release"] == "prometheus"
    image = pod(render("image.registry=r.example.com", "image.digest=sha256:" + "0" * 64))["containers"][0]["image"]
    assert image == "r.example.com/whisper-operator/operator@sha256:" + "0" * 64


def ends(manifests: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], End, End]:
    """The operator's policies, its pod, and that of `helm test`."""
    deployment, test = (of_kind(manifests, kind)[0] for kind in ("Deployment", "Pod"))
    space = {"kubernetes.io/metadata.name": "whisper-system"}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    operator = End("10.0.0.1", "whisper-system", labels, space, {"http": ("TCP", 8080)})
    return (
        of_kind(manifests, "NetworkPolicy"),
        operator,
        End("10.0.0.2", "whisper-system", test["metadata"]["labels"], space),
    )


def test_who_may_connect_to_the_operator(render: Any) -> None:
    guest = End("10.0.0.3", "speech", {}, {"kubernetes.io/metadata.name": "speech"})
    policies, operator, test = ends(render())
    assert allowed(policies, guest, operator, 8080)
    assert allowed(policies, test, operator, 8080)
    assert not allowed(policies, guest, operator, 22)
    assert not allowed(policies, End("8.8.8.8"), operator, 8080)
    assert allowed(policies, operator, End("8.8.8.8"), 16443), "where the API server is, the chart cannot know"
    policies, operator, test = ends(render(**{"networkPolicy.metricsFrom": []}))
    assert not allowed(policies, guest, operator, 8080)
    assert allowed(policies, test, operator, 8080)
    assert not of_kind(render("networkPolicy.enabled=false"), "NetworkPolicy")


def test_where_a_restricted_operator_may_connect_to(render: Any) -> None:
    labels = {"app.kubernetes.io/name": "whisper-transcriber", "app.kubernetes.io/component": "api"}
    api, other = (
        End("10.0.0.4", space, labels, {"kubernetes.io/metadata.name": space}) for space in ("speech", "elsewhere")
    )
    policies, operator, _ = ends(render("networkPolicy.egress.restricted=true"))
    assert allowed(policies, operator, End("10.96.0.1"), 443)
    assert allowed(policies, operator, End("172.18.0.2"), 6443)
    assert allowed(policies, operator, End("10.96.0.10"), 53, "UDP")
    assert allowed(policies, operator, api, 8000)
    assert not allowed(policies, operator, api, 5432)
    assert not allowed(policies, operator, End("8.8.8.8"), 80)
    policies, operator, _ = ends(render("networkPolicy.egress.restricted=true", "watch.namespaces={speech}"))
    assert allowed(policies, operator, api, 8000)
    assert not allowed(policies, operator, other, 8000)
    block = {"ipBlock": {"cidr": "172.18.0.0/16"}}
    narrow = {"restricted": True, "apiServer": {"to": [block], "ports": [16443]}, "dns": {"ports": [5353]}}
    policies, operator, _ = ends(render(**{"networkPolicy.egress": narrow}))
    assert allowed(policies, operator, End("172.18.0.2"), 16443)
    assert not allowed(policies, operator, End("172.19.0.2"), 16443)
    assert not allowed(policies, operator, End("172.18.0.2"), 6443)


def test_the_plan_finds_the_operator_by_the_label_that_the_chart_gives(render: Any) -> None:
    _, operator, _ = ends(render("nameOverride=other"))
    assert operator.labels[LABEL_COMPONENT] == OPERATOR


def test_labels_and_objects_of_ones_own(render: Any) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x"}}
    manifests = render("extraLabels.team=speech", extraObjects=[extra])
    assert {m["metadata"]["name"] for m in of_kind(manifests, "ConfigMap")} == {"whisper-operator-x"}
    for manifest in of_kind(manifests, "Deployment", "ClusterRole", "Role", "Service", "CustomResourceDefinition"):
        assert manifest["metadata"]["labels"]["team"] == "speech"
    (deployment,) = of_kind(manifests, "Deployment")
    assert "team" not in deployment["spec"]["selector"]["matchLabels"], "a selector can never change"
