"""The command that builds an image with Docker, and which images are forgotten."""

from pathlib import Path

import pytest

from build_images import ALL
from build_images.docker import Docker, answers, command
from build_images.engine import BuildFailed

# Stands where Docker's client would: notes what is asked and answers from files of the test's.
CLIENT = """\
#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in
  "context show") echo desktop-linux ;;
  "image inspect --format {{.Id}} "*) cat "$(dirname "$0")/id" 2>/dev/null ;;
  "image inspect --format {{len .RepoTags}} "*) cat "$(dirname "$0")/names" ;;
  "buildx build "*) echo sha256:new > "$(dirname "$0")/id" ;;
  "buildx version") [ ! -e "$(dirname "$0")/no-buildx" ] ;;
  "pull "*) echo "no such host" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "docker"
    program.write_text(CLIENT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def asked(client: Path) -> list[str]:
    return (client / "asked").read_text().splitlines()


def words(name: str, args: dict[str, str] | None = None) -> list[str]:
    return [str(word) for word in command(ALL[name], Path("/context"), args or {}, "default")]


def test_the_image_gets_its_tag_stage_and_arguments() -> None:
    built = words("worker-cuda", {"ACCELERATOR": "cuda"})
    assert built[:3] == ["docker", "buildx", "build"]
    assert built[-1] == "/context"
    for option, value in (
        ("--tag", ALL["worker-cuda"].tag),
        ("--file", str(ALL["worker-cuda"].dockerfile)),
        ("--target", "worker"),
        ("--build-arg", "ACCELERATOR=cuda"),
    ):
        assert built[built.index(option) + 1] == value
    assert "--target" not in words("redis")


def test_an_archive_holds_nothing_that_a_node_cannot_import() -> None:
    assert {"--load", "--provenance=false", "--sbom=false"} <= set(words("api"))


def test_the_engines_own_builder_builds_for_another_would_not_see_the_parent(client: Path) -> None:
    Docker().build(ALL["preloaded"], client, {}, client / "log")
    (build,) = [line for line in asked(client) if line.startswith("buildx build ")]
    assert "--builder desktop-linux " in build


@pytest.mark.parametrize("target", ["redis", "preloaded"])
@pytest.mark.parametrize(("names", "removed"), [("0", True), ("1", False)])
def test_an_image_that_was_replaced_goes_unless_somebody_gave_it_a_name(
    client: Path, target: str, names: str, removed: bool
) -> None:
    (client / "id").write_text("sha256:old")
    (client / "names").write_text(names)
    Docker().build(ALL[target], client, {}, client / "log")
    assert ("image rm sha256:old" in asked(client)) is removed


def test_a_base_that_cannot_be_pulled_is_told_without_a_traceback(client: Path) -> None:
    with pytest.raises(BuildFailed, match=r"debian:trixie-slim cannot be pulled: no such host"):
        Docker().base()


def test_an_engine_without_buildx_is_no_reason_to_build_otherwise(client: Path) -> None:
    assert answers()
    (client / "no-buildx").touch()
    with pytest.raises(BuildFailed, match="install the package docker-buildx"):
        answers()
