"""Reading Dockerfiles: which stages an image needs, and which files."""

import pytest

from build_images.dockerfile import Instruction, needed, parse, sources, stages

TEXT = """\
# syntax is not a comment that matters
ARG BASE=debian:trixie-slim
FROM ${BASE} AS build
# why
COPY pyproject.toml src/ /src/
RUN first \\
 # between
 && second
FROM build AS other
COPY unused /unused
FROM ${BASE} AS final
COPY --chown=0:0 --from=build /out /out
COPY start /bin/
"""


def test_lines_are_joined_and_comments_left_out() -> None:
    assert Instruction("RUN", "first && second") in parse(TEXT)
    assert [instruction.verb for instruction in parse("from a\n\n# b\nrun c")] == ["FROM", "RUN"]


def test_arguments_go_before_defaults() -> None:
    assert [stage.base for stage in stages(TEXT, {})] == ["debian:trixie-slim", "build", "debian:trixie-slim"]
    assert stages(TEXT, {"BASE": "mine"})[0].base == "mine"


def test_only_what_the_target_is_made_of_counts() -> None:
    assert [stage.name for stage in needed(stages(TEXT, {}), None)] == ["build", "final"]
    assert [stage.name for stage in needed(stages(TEXT, {}), "other")] == ["build", "other"]


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        needed(stages(TEXT, {}), "nowhere")


def test_sources_are_those_of_the_context() -> None:
    assert sources(needed(stages(TEXT, {}), None)) == ["pyproject.toml", "src/", "start"]
    assert sources(needed(stages(TEXT, {}), "other")) == ["pyproject.toml", "src/", "unused"]


def test_stages_without_a_name_are_numbered() -> None:
    assert [stage.name for stage in stages("FROM a\nFROM b AS two\nFROM c", {})] == ["0", "two", "2"]
