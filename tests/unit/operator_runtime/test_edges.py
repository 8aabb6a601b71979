"""Settings, logs, and how the API server's refusals are read."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version

import pytest

from whisper_operator import settings
from whisper_operator.cluster.live import refusal
from whisper_operator.errors import Conflict, Immutable, Rejected, Transient, WebhookFailed
from whisper_operator.logs import JsonFormatter, Log


def test_arguments_go_before_the_environment() -> None:
    env = {"WHISPER_OPERATOR_RESYNC": "7", "WHISPER_OPERATOR_HTTP_PORT": "1", "WHISPER_OPERATOR_NAMESPACES": "a, b"}
    found = settings.load(["run", "--http-port", "9"], {**env, "POD_NAMESPACE": "sys", "POD_NAME": "op-1"})
    assert (found.resync, found.http_port, found.namespaces) == (7.0, 9, ("a", "b"))
    assert found.lease_namespace == "sys" and found.identity.startswith("op-1-")


def test_every_namespace_when_none_is_named() -> None:
    assert settings.load(["run"], {"WHISPER_OPERATOR_NAMESPACES": ""}).namespaces == ()
    assert settings.load(["run", "--all-namespaces"], {"WHISPER_OPERATOR_NAMESPACES": "a"}).namespaces == ()
    assert settings.load(["run", "--namespace", "x", "--namespace", "y"], {}).namespaces == ("x", "y")


def test_a_number_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings.load(["run"], {"WHISPER_OPERATOR_RESYNC": "often"})
    assert "WHISPER_OPERATOR_RESYNC" in capsys.readouterr().err


def test_the_version_of_the_children_can_be_told_and_is_the_operators_own_by_default() -> None:
    assert settings.load(["run"], {"WHISPER_OPERATOR_VERSION": "9.9.9"}).version == "9.9.9"
    assert settings.load(["run", "--version", "8.8.8"], {"WHISPER_OPERATOR_VERSION": "9.9.9"}).version == "8.8.8"
    assert settings.load(["run"], {"WHISPER_OPERATOR_VERSION": ""}).version == version("whisper-operator")


def test_every_variable_that_is_said_to_be_read_is_read() -> None:
    choices = {"IMAGE_PULL_POLICY": "Never", "LOG_LEVEL": "DEBUG"}
    default = settings.load(["run"], {})
    for name in sorted(settings.variables()):
        field = name.removeprefix("WHISPER_OPERATOR_")
        changed = settings.load(["run"], {name: choices.get(field, "77")})
        assert getattr(changed, field.lower()) != getattr(default, field.lower()), name


def test_a_log_line_is_one_json_object_with_its_keys(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Log("test").info("Applied Deployment", transcriber="ns/main", replicas=3)
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert line | {"message": "Applied Deployment", "transcriber": "ns/main", "replicas": 3, "level": "info"} == line


def status(reason: str, message: str) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "body", "kind", "reason"),
    [
        (404, b"404 page not found\n", Rejected, "NotFound"),
        (409, status("AlreadyExists", "exists"), Conflict, None),
        (429, status("TooManyRequests", "slow down"), Transient, None),
        (503, b"<html>proxy</html>", Transient, None),
        (401, status("Unauthorized", "who"), Transient, None),
        (403, status("Forbidden", "exceeded quota: small"), Rejected, "QuotaExceeded"),
        (403, status("Forbidden", "namespace ns is being terminated"), Transient, None),
        (403, status("Forbidden", "no right"), Rejected, "Forbidden"),
        (
            422,
            status("Invalid", "spec: Forbidden: updates to statefulset spec for fields"),
            Immutable,
            "ImmutableField",
        ),
        (422, status("Invalid", "spec.template: Invalid value: field is immutable"), Immutable, "ImmutableField"),
        (422, status("Invalid", "spec.replicas: Invalid value: -1"), Rejected, "Invalid"),
        (400, b"[]", Rejected, "Http400"),
        (500, status("", "failed to create typed patch object: .spec.x: field not declared"), Rejected, "Invalid"),
        (500, status("InternalError", "failed calling webhook: no endpoints"), WebhookFailed, None),
        (500, status("InternalError", "etcd"), Transient, None),
    ],
)
def test_refusals_say_who_must_move(code: int, body: bytes, kind: type[Exception], reason: str | None) -> None:
    error = refusal(code, body, "apply Deployment")
    assert type(error) is kind
    assert getattr(error, "reason", None) == reason
