"""The node's configuration, command lines and names: pure parts."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from testbed import cgroups, config, control, kubeconfig, own, paths, pki, recipes
from testbed.__main__ import parser


@pytest.mark.parametrize("name", ["dev", "a", "whisper-operator-test", "x" * 40])
def test_good_names(name: str) -> None:
    assert paths.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a b", "x" * 41])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a cluster's name is"):
        paths.check_name(name)


def test_the_longest_name_still_fits_into_a_sockets_path() -> None:
    assert len(os.fsencode(paths.sockets("x" * 40) / "containerd.sock")) <= 107


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    monkeypatch.delenv("WHISPER_CACHE", raising=False)
    assert paths.state("dev") == Path("/var/cache/whisper-operator/clusters/dev")
    monkeypatch.setenv("WHISPER_CACHE", "/elsewhere")
    assert paths.cache() == Path("/elsewhere")


def test_staging_modules_are_replaced_by_their_published_versions() -> None:
    gomod = "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tk8s.io/kms => ./staging/src/k8s.io/kms\n)\n"
    wanted = "replace k8s.io/api => k8s.io/api v0.36.3\nreplace k8s.io/kms => k8s.io/kms v0.36.3\n"
    assert recipes.staging_replacements(gomod, "v1.36.3") == wanted


def test_binaries_are_cached_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_CACHE", "/cache")
    assert recipes.KUBERNETES.program("kubelet") == Path("/cache/bin/kubernetes-v1.36.3/kubelet")


def test_a_changed_source_is_another_program(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main")
    before = own.fingerprint(tmp_path)
    (tmp_path / "go.mod").write_text("module it")
    assert own.fingerprint(tmp_path) != before


def test_cert_managers_program_and_its_definitions_are_of_one_version() -> None:
    module, version = recipes.CERT_MANAGER
    gomod = (Path(own.__file__).parent / "certmanager" / "go.mod").read_text()
    assert f"require {module} {version}\n" in gomod or f"\t{module} {version}\n" in gomod


def test_cgroup_mounts_of_both_versions_are_found() -> None:
    mounts = """\
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
proc /proc proc rw 0 0
"""
    assert cgroups.hierarchies(mounts) == {
        Path("/sys/fs/cgroup/cpu"): "cgroup",
        Path("/sys/fs/cgroup/unified"): "cgroup2",
    }


def test_two_clusters_share_no_cgroup_and_no_socket() -> None:
    one, two = (json.loads(config.kubelet(name, Path("/state") / name)) for name in ("one", "two"))
    for setting in ("cgroupRoot", "containerRuntimeEndpoint", "tlsCertFile", "volumePluginDir"):
        assert one[setting] != two[setting]


def test_the_api_server_enforces_pod_security_and_writes_an_audit_log() -> None:
    words = control.apiserver(Path("kube-apiserver"), Path("/state"), control.Endpoints())
    assert not any(word.startswith("--disable-admission-plugins") for word in words)
    assert "--audit-log-path=/state/audit.log" in words
    assert json.loads(control.AUDIT_POLICY)["rules"][-1] == {"level": "Metadata"}


def test_certificates_are_signed_for_user_groups_and_addresses(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    pki.make(folder, [pki.Identification("me", "somebody", ("system:nodes",), ("IP:10.0.0.1", "DNS:node"))])
    subprocess.run(
        ["openssl", "verify", "-CAfile", folder / "ca.crt", folder / "me.crt"], check=True, capture_output=True
    )
    shown = subprocess.run(
        ["openssl", "x509", "-in", folder / "me.crt", "-noout", "-subject", "-ext", "subjectAltName"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for part in ("O = system:nodes", "CN = somebody", "IP Address:10.0.0.1", "DNS:node"):
        assert part in shown


def test_a_kubeconfig_stands_alone_and_is_private(tmp_path: Path) -> None:
    for file in ("ca.crt", "me.crt", "me.key"):
        (tmp_path / file).write_text(file)
    made = kubeconfig.write(tmp_path / "kubeconfig", "dev", "https://127.0.0.1:1", tmp_path, "me")
    user = yaml.safe_load(made.read_text())["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"me.key"
    assert made.stat().st_mode & 0o777 == 0o600


def test_the_command_line() -> None:
    assert parser().parse_args(["up"]).name == "whisper-operator"
    asked = parser().parse_args(["load", "--name", "dev", "a.tar", "b.tar"])
    assert (asked.name, asked.archive) == ("dev", [Path("a.tar"), Path("b.tar")])
