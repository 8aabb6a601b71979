"""Debian's packages on a machine without apt-get: Docker's engine unpacks them."""

import shutil
from pathlib import Path

import pytest

from assets import debian

# Stands where Docker's client would: one package exists, and its files come as a tar on standard output.
CLIENT = """\
#!/bin/sh
for last; do :; done
[ "$last" = sounds ] || { echo "E: Unable to locate package $last" >&2; exit 100; }
cd "$(dirname "$0")/content" && exec tar -c .
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is a Docker client, and no apt-get."""
    folder = tmp_path / "programs"
    (folder / "content" / "usr").mkdir(parents=True)
    (folder / "content" / "usr" / "hello").write_text("hello")
    (folder / "docker").write_text(CLIENT)
    (folder / "docker").chmod(0o755)
    for tool in ("sh", "tar", "dirname"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_files_come_out_of_a_container(tmp_path: Path) -> None:
    root = debian.unpack(["sounds"], tmp_path / "to")
    assert (root / "usr" / "hello").read_text() == "hello"


def test_a_package_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(debian.PackagesUnavailable, match="Unable to locate package nonsense"):
        debian.unpack(["nonsense"], tmp_path / "to")


def test_without_docker_too_it_is_said_what_to_do(tmp_path: Path, machine: Path) -> None:
    (machine / "docker").unlink()
    with pytest.raises(debian.PackagesUnavailable, match=r"apt-get and dpkg-deb not found: .* or start Docker"):
        debian.unpack(["sounds"], tmp_path / "to")
