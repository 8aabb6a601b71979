"""What image archives are called inside, and what pods call them."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from testbed import images, tiny


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:8", "docker.io/library/redis:8"),
        ("whisper-operator/api:0.1.0", "docker.io/whisper-operator/api:0.1.0"),
        ("localhost/pause:1", "localhost/pause:1"),
        ("registry.k8s.io/pause", "registry.k8s.io/pause:latest"),
        ("host:5000/a/b", "host:5000/a/b:latest"),
        ("a/b@sha256:00", "docker.io/a/b@sha256:00"),
    ],
)
def test_short_names_become_the_names_that_containerd_looks_up(short: str, full: str) -> None:
    assert images.normalise(short) == full


def test_an_image_of_buildah_is_also_known_without_its_host() -> None:
    assert images.aliases("localhost/whisper-operator/api:1") == {
        "localhost/whisper-operator/api:1",
        "docker.io/whisper-operator/api:1",
    }
    assert images.aliases("docker.io/library/redis:8") == {"docker.io/library/redis:8"}


def _archive(folder: Path, files: dict[str, object]) -> Path:
    made = folder / "image.tar"
    with tarfile.open(made, "w") as tar:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made


def test_names_of_an_oci_archive(tmp_path: Path) -> None:
    named = {"annotations": {"org.opencontainers.image.ref.name": "a/b:1"}}
    assert images.names(_archive(tmp_path, {"index.json": {"manifests": [named, {}]}})) == ["a/b:1"]


def test_names_of_a_docker_archive(tmp_path: Path) -> None:
    files: dict[str, object] = {"manifest.json": [{"RepoTags": ["a/b:1", "a/b:2"]}, {"RepoTags": None}]}
    assert images.names(_archive(tmp_path, files)) == ["a/b:1", "a/b:2"]


def test_any_other_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a Docker archive nor an OCI archive"):
        images.names(_archive(tmp_path, {"readme": "no image"}))


def test_the_wrapped_program_is_an_image_with_one_layer(tmp_path: Path) -> None:
    made = tmp_path / "tiny.tar"
    made.write_bytes(tiny.wrap("pause", b"program", "localhost/pause:1"))
    assert images.names(made) == ["localhost/pause:1"]
    with tarfile.open(made) as tar:
        layer = tar.extractfile("layer.tar")
        assert layer is not None
        with tarfile.open(fileobj=layer) as inner:
            program = inner.getmember("pause")
            assert (program.size, program.mode) == (7, 0o755)
