"""What a TranscriptionJob is given: its audio, and a webhook that may be a Secret."""

from __future__ import annotations

import base64

import pytest

from unit.operator_runtime.desk import Desk


async def test_an_object_of_a_bucket_is_handed_over_by_its_name(desk: Desk) -> None:
    await desk.apply({"s3": {"url": "s3://calls/2026/a b.mp3"}})
    await desk.look()
    ((_key, fields, audio),) = desk.server.submissions
    assert (fields["source"], audio) == ({"s3": {"url": "s3://calls/2026/a b.mp3"}}, None)


@pytest.mark.parametrize("field", ["binaryData", "data"])
async def test_a_clip_in_a_config_map_is_uploaded(desk: Desk, field: str) -> None:
    await desk.apply({"configMap": {"name": "clips", "key": "a.ogg"}}, wordTimestamps=False)
    await desk.look()
    assert desk.succeeded == ("Unknown", "SourceNotFound")
    value = base64.b64encode(b"audio").decode() if field == "binaryData" else "audio"
    clips = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clips", "namespace": "ns"}}
    await desk.cluster.create({**clips, field: {"a.ogg": value}})
    await desk.look()
    ((_, fields, audio),) = desk.server.submissions
    assert audio == b"audio"
    assert fields == {"filename": "a.ogg", "task": "transcribe", "wordTimestamps": "false", "priority": "0"}


async def test_a_webhooks_url_may_be_a_secret(desk: Desk) -> None:
    await desk.apply(webhook={"urlSecretRef": {"name": "hook"}, "transcript": True})
    await desk.look()
    assert desk.succeeded == ("Unknown", "SecretNotFound")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook", "namespace": "ns"}}
    await desk.cluster.create({**secret, "data": {"uri": "eA=="}})
    assert (await desk.look()).label == "stalled", "so that the next look reads the Secret anew"
    assert desk.succeeded == ("Unknown", "SecretNotFound")
    await desk.cluster.apply({**secret, "data": {"url": base64.b64encode(b"https://a.example/token").decode()}})
    await desk.look()
    assert desk.succeeded == ("Unknown", "Queued")
    ((_, fields, _),) = desk.server.submissions
    assert fields["webhook"] == {"url": "https://a.example/token", "transcript": True}
    assert "token" not in str(desk.body)


async def test_a_secret_that_is_no_url_is_refused_and_not_told(desk: Desk) -> None:
    data = {"url": base64.b64encode(b"postgresql://user:swordfish@host/db").decode()}
    meta = {"name": "hook", "namespace": "ns"}
    await desk.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    await desk.apply(webhook={"urlSecretRef": {"name": "hook"}})
    await desk.look()
    assert desk.succeeded == ("False", "InvalidSpec")
    assert "swordfish" not in str(desk.body)
    assert desk.server.submissions == []
