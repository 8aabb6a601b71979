"""What the test bed asks kind and Docker for, and when."""

import os
from pathlib import Path

import pytest
import yaml

import testbed
from testbed import kind, tiny
from testbed.loaded import Loaded

# Stands where kind, docker, kubectl and helm would: notes what is asked, and answers from files of the test's.
PROGRAM = """\
#!/bin/sh
here=$(dirname "$0")
echo "$(basename "$0") $*" >> "$here/asked"
case "$(basename "$0") $*" in
  "kubectl wait "*) [ ! -e "$here/forbidden" ] || { rm "$here/forbidden"; exit 1; } ;;
  "kind get clusters") cat "$here/clusters" 2>/dev/null ;;
  "kind create "*) cat > "$here/config"; echo "$4" > "$here/clusters"; echo node-2 > "$here/running" ;;
  "kind delete "*) rm -f "$here/clusters" ;;
  "docker info "*) echo 26.1.5 ;;
  "docker ps "*"status=running"*) cat "$here/running" 2>/dev/null ;;
  "docker ps "*"status=exited"*) cat "$here/exited" 2>/dev/null ;;
esac
exit 0
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("kind", "docker", "kubectl", "helm"):
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WHISPER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(kind.NODE_IMAGE, raising=False)
    return folder


def asked(programs: Path, start: str) -> list[str]:
    return [line for line in (programs / "asked").read_text().splitlines() if line.startswith(start)]


def test_a_cluster_is_created_once(programs: Path) -> None:
    assert kind.status("dev") == "absent"
    kind.up("dev")
    assert kind.status("dev") == "running (kind)"
    kind.up("dev")
    (creation,) = asked(programs, "kind create")
    assert "--image" not in creation
    assert len(asked(programs, "kind export kubeconfig --name dev")) == 1
    kind.remove("dev")
    assert not kind.state("dev").exists()


def test_a_cluster_by_kind_stays_one_by_kind(programs: Path) -> None:
    testbed.up("kinds-own")
    assert testbed.status("kinds-own") == "running (kind)"
    assert testbed.up("kinds-own").made_of == "kind"
    testbed.down("kinds-own")
    assert testbed.status("kinds-own") == "absent"


def test_the_nodes_image_can_be_chosen(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kind.NODE_IMAGE, "mirror.example.com/kindest/node:v1.36.3")
    kind.up("dev")
    (creation,) = asked(programs, "kind create")
    assert creation.endswith("--image mirror.example.com/kindest/node:v1.36.3")


def test_the_configuration_is_one_node_that_also_takes_cgroup_v1(programs: Path) -> None:
    kind.up("dev")
    config = yaml.safe_load((programs / "config").read_text())
    assert [node["role"] for node in config["nodes"]] == ["control-plane"]
    (patch,) = [yaml.safe_load(text) for text in config["kubeadmConfigPatches"]]
    assert patch["kind"] == "KubeletConfiguration"
    assert patch["failCgroupV1"] is False


def test_half_a_cluster_is_replaced(programs: Path) -> None:
    (programs / "clusters").write_text("dev")
    kind.state("dev").mkdir(parents=True)
    (kind.state("dev") / "half-made").touch()  # as an interrupted `up` leaves it
    assert kind.status("dev").startswith("incomplete")
    kind.up("dev")
    assert asked(programs, "kind delete")
    assert kind.status("dev") == "running (kind)"


def test_somebody_elses_cluster_of_the_name_is_used_not_replaced(programs: Path) -> None:
    (programs / "clusters").write_text("dev")
    (programs / "running").write_text("node-1")
    kind.up("dev")
    assert not asked(programs, "kind delete") + asked(programs, "kind create")


def test_a_node_that_docker_left_stopped_is_started(programs: Path) -> None:
    (programs / "clusters").write_text("dev")
    (programs / "exited").write_text("node-1")
    (programs / "forbidden").touch()  # what an API server says until it has read its roles
    assert kind.status("dev").startswith("stopped")
    kind.up("dev")
    assert asked(programs, "docker start") == ["docker start node-1"]


def test_an_archive_is_loaded_once_into_each_node(programs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(tiny.wrap("it", b"program", "whisper-operator/it:1"))
    cluster = kind.up("dev")
    cluster.load(archive)
    cluster.load(archive)
    assert len(asked(programs, "kind load")) == 1
    (programs / "running").write_text("node-3")  # made anew by somebody, under the same name
    cluster.load(archive)
    assert len(asked(programs, "kind load")) == 2


def test_the_last_archive_of_a_name_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "worker.tar", tmp_path / "preloaded.tar"
    for file in (first, second):
        file.write_text(file.name)
    loaded = Loaded(tmp_path / "loaded.json")
    loaded.note(["worker:1"], first)
    assert loaded.has(["worker:1"], first)
    loaded.note(["worker:1", "other:1"], second)
    assert loaded.has(["worker:1", "other:1"], second)
    assert not loaded.has(["worker:1"], first)
    assert not loaded.has(["third:1"], second)
    second.write_text("another content")
    assert not loaded.has(["worker:1"], second)
