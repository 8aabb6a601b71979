"""The hash of an image's inputs changes when the image would, and only then."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from build_images import ALL, Target
from build_images.inputs import digest
from build_images.targets import ROOT

DOCKERFILE = """\
ARG BASE=debian
FROM ${BASE} AS dependencies
COPY lock /lock
FROM ${BASE} AS unused
COPY elsewhere /x
FROM ${BASE}
# a comment
COPY --from=dependencies /out /out
COPY source /source
"""


@dataclass(frozen=True)
class Local(Target):
    """A target whose Dockerfile lies in a test's folder."""

    at: Path = Path()

    @property
    def dockerfile(self) -> Path:
        return self.at / "Dockerfile"


@pytest.fixture
def target(tmp_path: Path) -> Local:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "lock").write_text("a==1")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "code.py").write_text("1")
    return Local("test", "test", "test", at=tmp_path)


def of(target: Local, base: str = "base", **args: str) -> str:
    return digest(target, target.at, base, args)


@pytest.mark.parametrize("file", ["lock", "source/code.py", "source/new.py"])
def test_a_file_that_is_copied_changes_it(target: Local, file: str) -> None:
    before = of(target)
    (target.at / file).write_text("changed")
    assert of(target) != before


@pytest.mark.parametrize("file", ["README.md", "elsewhere", "source/__pycache__/code.pyc"])
def test_a_file_that_is_not_copied_does_not(target: Local, file: str) -> None:
    before = of(target)
    (target.at / file).parent.mkdir(exist_ok=True)
    (target.at / file).write_text("changed")
    assert of(target) == before


def test_a_step_changes_it_and_a_comment_does_not(target: Local) -> None:
    before = of(target)
    target.dockerfile.write_text(DOCKERFILE.replace("# a comment", "# another"))
    assert of(target) == before
    target.dockerfile.write_text(DOCKERFILE.replace("elsewhere", "somewhere"))
    assert of(target) == before, "another stage"
    target.dockerfile.write_text(DOCKERFILE + "USER 1\n")
    assert of(target) != before


def test_base_arguments_and_modes_change_it(target: Local) -> None:
    before = of(target)
    assert of(target, base="newer") != before
    assert of(target, VERSION="2") != before
    (target.at / "source" / "code.py").chmod(0o755)
    assert of(target) != before


def test_a_renamed_file_changes_it(target: Local) -> None:
    before = of(target)
    (target.at / "source" / "code.py").rename(target.at / "source" / "other.py")
    assert of(target) != before


def test_what_is_copied_must_be_there(target: Local) -> None:
    (target.at / "lock").unlink()
    with pytest.raises(FileNotFoundError, match="lock is copied by a Dockerfile"):
        of(target)


@pytest.mark.parametrize("name", [name for name, target in ALL.items() if not target.models])
def test_every_target_has_all_its_files(name: str) -> None:
    target = ALL[name]
    assert len(digest(target, ROOT, "base", target.args)) == 16
