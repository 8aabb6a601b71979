"""Wrong settings: one sentence a field, exit 2, and no secret in it."""

import os
import subprocess
import sys

import pytest

from whisper_transcriber.deps.catalogue import Catalogue, catalogue
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.settings import InvalidSettings, Settings, load_settings, variables


def problems(monkeypatch: pytest.MonkeyPatch, **env: str) -> list[str]:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        catalogue(load_settings())
    return caught.value.problems


def test_an_empty_environment_is_enough() -> None:
    settings = load_settings()
    assert settings.port == 8000
    assert catalogue(settings).default.name == "base"


def test_help_tells_every_setting() -> None:
    for name, field in Settings.model_fields.items():
        assert f"  WHISPER_{name.upper()}" in variables()
        assert field.description, name
    assert "WHISPER_RETENTION_SECONDS=0\n" in variables()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WHISPER_PORT", "high", "valid integer"),
        ("WHISPER_CLAIM_LEASE_SECONDS", "0", "greater than 0"),
        ("WHISPER_LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("WHISPER_MODELS", "[{", "not JSON"),
        ("WHISPER_MODELS", "[]", "at least 1"),
        ("WHISPER_MODELS", '[{"name": "a"}, {"name": "b", "aliases": ["a"]}]', "used twice"),
        ("WHISPER_MODELS", '[{"name": "a", "colour": "red"}]', "(colour)"),
        ("WHISPER_DEFAULT_MODEL", "large", "not one of base"),
    ],
)
def test_a_wrong_value_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    (problem,) = problems(monkeypatch, **{name: value})
    assert problem.startswith(name)
    assert says in problem
    assert problem.endswith(".")


def test_every_wrong_field_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, WHISPER_PORT="-1", WHISPER_THREADS="many")
    assert [problem.split(":")[0] for problem in found] == ["WHISPER_PORT", "WHISPER_THREADS"]


def test_a_secret_is_not_shown() -> None:
    settings = load_settings(api_key="swordfish", database_url="postgresql://u:swordfish@h/d")
    assert "swordfish" not in repr(settings)


@pytest.mark.parametrize("command", ["serve", "work", "migrate"])
def test_a_command_with_wrong_settings_exits_with_2(command: str) -> None:
    env = {**os.environ, "WHISPER_PORT": "high", "WHISPER_S3_BUCKET": "x"}
    ended = subprocess.run(
        [sys.executable, "-m", "whisper_transcriber", command], env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert [line.split(":")[1] for line in ended.stderr.splitlines()] == [" WHISPER_S3_BUCKET", " WHISPER_PORT"]


def test_a_service_needs_a_database() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "whisper_transcriber", "serve"],
        env={**os.environ, "WHISPER_DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (2, "error: WHISPER_DATABASE_URL: a postgresql:// URL is needed.\n")


def test_models_are_found_by_name_alias_and_openais_name() -> None:
    base, tiny = ModelSpec(name="base", aliases=("b",)), ModelSpec(name="tiny")
    models = Catalogue([base, tiny], "tiny")
    assert models.find(None) == models.find("whisper-1") == models.find("tiny") == tiny
    assert models.find("b") == models.find("base") == base
    assert models.find("large") is None
    named = Catalogue([base, ModelSpec(name="other", aliases=("whisper-1",))])
    assert named.find("whisper-1") != named.default
