"""What holds for every Dockerfile of the project."""

from pathlib import Path

import pytest

from build_images import ALL, Target
from build_images.dockerfile import Stage, needed, stages
from build_images.targets import ROOT

DOCKERFILES = sorted(ROOT.glob("images/*/Dockerfile"))
TARGETS = list(ALL.values())


def steps(target: Target) -> list[Stage]:
    return needed(stages(target.dockerfile.read_text(), target.args), target.stage)


def shipped(target: Target) -> list[tuple[str, str]]:
    """Verb and rest of every instruction of the stages that the image itself consists of, first to last."""
    by_name = {stage.name: stage for stage in steps(target)}
    stage = by_name[target.stage] if target.stage else steps(target)[-1]
    layers: list[tuple[str, str]] = []
    while True:
        layers[:0] = [(step.verb, step.rest) for step in stage.instructions]
        if stage.base not in by_name:
            return layers
        stage = by_name[stage.base]


def test_every_dockerfile_belongs_to_a_target() -> None:
    assert {target.dockerfile for target in TARGETS} == set(DOCKERFILES)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_image_ends_as_an_unprivileged_user(target: Target) -> None:
    assert [rest for verb, rest in shipped(target) if verb == "USER"][-1] == "10001:10001"


@pytest.mark.parametrize("target", [t for t in TARGETS if not t.parent], ids=lambda target: target.name)
def test_an_image_has_an_init_a_health_check_and_labels(target: Target) -> None:
    made = shipped(target)
    (entrypoint,) = [rest for verb, rest in made if verb == "ENTRYPOINT"]
    assert entrypoint.startswith('["/usr/bin/tini", "--", ')
    assert [verb for verb, _ in made].count("HEALTHCHECK") == 1
    (label,) = [rest for verb, rest in made if verb == "LABEL"]
    for key in ("title", "description", "licenses", "version"):
        assert f"org.opencontainers.image.{key}=" in label


@pytest.mark.parametrize("target", [t for t in TARGETS if not t.parent], ids=lambda target: target.name)
def test_every_stage_starts_from_the_one_base(target: Target) -> None:
    names = {stage.name for stage in steps(target)}
    assert {stage.base for stage in steps(target)} - names == {"debian:trixie-slim"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_nothing_is_added_from_addresses_and_no_machine_is_known(path: Path) -> None:
    text = path.read_text()
    assert not [step for stage in stages(text, {}) for step in stage.instructions if step.verb == "ADD"]
    for word in ("http://", "https://", ".crt", "CERT", "curl", "wget", "PASSWORD=", "latest"):
        assert word not in text.replace("http://127.0.0.1", "")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_pip_installs_for_the_image_is_pinned_by_hash(path: Path) -> None:
    installs = [
        line
        for stage in stages(path.read_text(), {})
        for step in stage.instructions
        for line in step.rest.split("&&")
        if step.verb == "RUN" and "/opt/venv/bin/python install" in line
    ]
    assert all("--require-hashes" in line or line.strip().endswith("/wheels/*.whl") for line in installs)


@pytest.mark.parametrize("script", sorted(ROOT.glob("images/*/entrypoint")), ids=lambda path: path.parent.name)
def test_entrypoints_stop_at_errors_and_become_their_server(script: Path) -> None:
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "set -eu" in lines
    assert lines[-1].startswith("exec ")
    assert script.stat().st_mode & 0o111 == 0o111
