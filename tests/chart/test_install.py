"""The chart and the examples against a real API server: admission, RBAC, and what an uninstall leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from testbed import binaries, recipes
from testbed.shell import CommandFailed
from whisper_operator.api.v1alpha1 import WhisperTranscriber
from whisper_operator.api.versions import MANAGED
from whisper_operator.certs.manager import requests
from whisper_operator.certs.wanted import wanted

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "whisper-operator"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SYSTEM = "chart-system"
POD = {  # what is elsewhere outside a pod
    "/var/run/secrets/kubernetes.io/serviceaccount": "account",
    "/etc/nightly": "nightly",
}


@pytest.fixture(scope="module")
def installed(cluster_helm: Any, kubectl: Any) -> str:
    """The chart, installed for real, beside cert-manager's CRDs; there is no node, so no pod will run.

    Returns the operator's user.
    """
    crds = binaries.sources(*recipes.CERT_MANAGER) / "deploy" / "crds"
    for plural, kind in (("certificates", "Certificate"), ("issuers", "Issuer")):
        kubectl("apply", "--server-side", "--filename", str(crds / f"cert-manager.io_{plural}.yaml"))
        # The names first: while a CRD has no conditions at all, kubectl fails at waiting for one.
        for state in (f"jsonpath={{.status.acceptedNames.kind}}={kind}", "condition=Established"):
            kubectl("wait", f"--for={state}", f"crd/{plural}.cert-manager.io", "--timeout=30s")
    cluster_helm(
        "install", "op", str(CHART), "--namespace", SYSTEM, "--create-namespace", "--set", "fullnameOverride=op"
    )
    for crd in ("whispertranscribers", "transcriptionjobs"):
        kubectl("wait", "--for=condition=Established", f"crd/{crd}.whisper-operator.dev", "--timeout=30s")
    kubectl("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
    return f"system:serviceaccount:{SYSTEM}:op"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_to_the_letter(kubectl: Any, installed: str, path: Path) -> None:
    kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", str(path))


@pytest.mark.parametrize("issuer", [None, {"name": "corporate", "kind": "ClusterIssuer"}])
def test_what_cert_manager_is_asked_for_is_valid(kubectl: Any, installed: str, issuer: dict[str, str] | None) -> None:
    tls = {"api": {"enabled": True}, "certManager": {"issuerRef": issuer} if issuer else {}}
    transcriber = {"metadata": {"name": "main", "namespace": "default", "uid": "1"}, "spec": {"tls": tls}}
    cr = WhisperTranscriber.parse(transcriber)
    assert cr.spec.tls.cert_manager is not None
    asked = requests(cr, cr.spec.tls.cert_manager, wanted(cr))
    assert {manifest["kind"] for manifest in asked} == ({"Certificate"} if issuer else {"Certificate", "Issuer"})
    kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-"),
        input=yaml.safe_dump_all(asked),
    )


def test_the_notes_say_what_to_do_next(kubectl: Any, cluster_helm: Any, installed: str) -> None:
    notes = cluster_helm("get", "notes", "op", "--namespace", SYSTEM)
    assert f"helm test op --namespace {SYSTEM}" in notes
    assert f"transcribers of the versions {MANAGED}." in notes
    first = dedent(notes.partition("<<EOF\n")[2].partition("EOF")[0])
    assert yaml.safe_load(first)["kind"] == "WhisperTranscriber"
    kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-", input=first)


def test_strict_validation_is_on(kubectl: Any, installed: str) -> None:
    (minimal,) = yaml.safe_load_all((ROOT / "examples" / "minimal.yaml").read_text())
    minimal["spec"] = {"wrokers": {"replicas": 2}}
    with pytest.raises(CommandFailed, match=r"spec\.wrokers: field not declared"):
        kubectl(
            *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-"),
            input=yaml.safe_dump(minimal),
        )


def test_the_pods_pass_restricted(installed: str, kubectl: Any, helm: Any) -> None:
    deployment = json.loads(kubectl("get", "deployment", "op", "--namespace", SYSTEM, "--output", "json"))
    test = yaml.safe_load(helm("template", "op", str(CHART), "--show-only", "templates/tests/ready.yaml"))
    for name, spec in (("operator", deployment["spec"]["template"]["spec"]), ("test", test["spec"])):
        spec.setdefault("serviceAccountName", "op")  # no controller makes `default` here
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SYSTEM}, "spec": spec}
        kubectl("create", "--dry-run=server", "--validate=strict", "--filename", "-", input=yaml.safe_dump(pod))
    spec["securityContext"] = {}
    with pytest.raises(CommandFailed, match="violates PodSecurity"):
        kubectl("create", "--dry-run=server", "--filename", "-", input=yaml.safe_dump(pod))


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("patch", "whispertranscribers.whisper-operator.dev/status", True),
        ("watch", "transcriptionjobs.whisper-operator.dev", True),
        ("create", "statefulsets.apps", True),
        ("get", "secrets", True),
        ("list", "secrets", False),
        ("watch", "secrets", False),
        ("delete", "secrets", False),
        ("delete", "persistentvolumeclaims", False),
        ("create", "pods/exec", False),
        ("delete", "whispertranscribers.whisper-operator.dev", False),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", False),
    ],
)
def test_the_api_server_grants_only_that(installed: str, kubectl: Any, verb: str, resource: str, allowed: bool) -> None:
    resource, _, subresource = resource.partition("/")
    question = ["auth", "can-i", verb, resource, "--as", installed, "--namespace", "anywhere"]
    review = [*question, f"--subresource={subresource}"] if subresource else question
    if allowed:
        assert kubectl(*review).strip().endswith("yes")
    else:
        with pytest.raises(CommandFailed, match="\nno"):
            kubectl(*review)


def test_the_cronjobs_script_makes_one_job_and_may_do_nothing_else(
    installed: str, kubectl: Any, tmp_path: Path
) -> None:
    kubectl("create", "namespace", "nightly")
    text = (ROOT / "examples" / "cronjob.yaml").read_text().replace("namespace: default", "namespace: nightly")
    kubectl("apply", "--server-side", "--namespace", "nightly", "--filename", "-", input=text)
    config = yaml.safe_load(kubectl("config", "view", "--raw"))["clusters"][0]["cluster"]
    token = kubectl("create", "token", "nightly-transcription", "--namespace", "nightly").strip()
    (account := tmp_path / "account").mkdir()
    for name, content in {"token": token, "namespace": "nightly"}.items():
        (account / name).write_text(content)
    (account / "ca.crt").write_bytes(b64decode(config["certificate-authority-data"]))
    script, job = (
        next(d for d in yaml.safe_load_all(text) if d["kind"] == "ConfigMap")["data"][name]
        for name in ("make.py", "job.json")
    )
    (tmp_path / "nightly").mkdir()
    (tmp_path / "nightly" / "job.json").write_text(job)
    for path, here in POD.items():
        assert path in script
        script = script.replace(path, str(tmp_path / here))
    assert "https://kubernetes.default.svc/" in script
    script = script.replace("https://kubernetes.default.svc", config["server"])

    def run(code: str = script) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "JOB_NAME": "nightly-transcription-29000000"}
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)

    before = datetime.now(UTC).date()
    done = run()
    assert (done.returncode, done.stdout) == (0, "Created nightly-transcription-29000000\n"), done.stderr
    (made,) = json.loads(kubectl("get", "transcriptionjobs", "--namespace", "nightly", "--output", "json"))["items"]
    assert made["metadata"]["name"] == "nightly-transcription-29000000"
    days = {f"https://recordings.example.com/{day}.mp3" for day in (before, datetime.now(UTC).date())}
    assert made["spec"]["source"]["http"]["url"] in days
    assert run().returncode == 0, "a second attempt finds that it is done"

    (tmp_path / "nightly" / "job.json").write_text(job.replace("priority", "urgency"))
    refused = run()
    assert refused.returncode != 0 and "urgency" in refused.stderr
    subject = "system:serviceaccount:nightly:nightly-transcription"
    rights = kubectl("auth", "can-i", "--list", "--as", subject, "--namespace", "nightly")
    (ours,) = [line.split() for line in rights.splitlines() if "transcription" in line]
    assert ours == ["transcriptionjobs.whisper-operator.dev", "[]", "[]", "[create]"]


def test_uninstall_leaves_transcribers(installed: str, cluster_helm: Any, kubectl: Any) -> None:
    kubectl("apply", "--server-side", "--filename", str(ROOT / "examples" / "minimal.yaml"))
    cluster_helm("uninstall", "op", "--namespace", SYSTEM)
    assert kubectl("get", "whispertranscriber", "main", "--output", "name").strip() == (
        "whispertranscriber.whisper-operator.dev/main"
    )
    assert not kubectl("get", "deployments", "--namespace", SYSTEM, "--output", "name").strip().startswith("deploy")
    cluster_helm("install", "op", str(CHART), "--namespace", SYSTEM, "--set", "fullnameOverride=op")
