"""The unmodified Node client against the running service: each call that it has for audio, and errors."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import srt
import webvtt

from assets import speech
from clips import word_error_rate
from services.node import installed
from services.running import KEY, Client

_HERE = Path(__file__).parent / "openai_node"


@pytest.fixture(scope="module")
def heard(client: Client) -> dict[str, Any]:
    """What the script's calls came to."""
    script = installed(_HERE / "calls.mjs")
    command = ["node", str(script), str(speech.long(5).path), str(speech.sentences("fr")[0].path)]
    env = {**os.environ, "OPENAI_BASE_URL": f"{client.api.url}/v1", "OPENAI_API_KEY": KEY}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_what_was_said_comes_back_in_every_form(heard: dict[str, Any]) -> None:
    text = heard["json"]["text"]
    assert word_error_rate(speech.long(5).text, text) < 0.3
    assert heard["text"].strip() == text
    assert " ".join(" ".join(cue.content.split()) for cue in srt.parse(heard["srt"]))
    assert webvtt.from_string(heard["vtt"]).captions
    assert heard["verbose"]["language"] == "english"
    assert [word["word"] for word in heard["verbose"]["words"]] == heard["verbose"]["text"].split()
    assert heard["verbose"]["segments"][0]["avg_logprob"] < 0
    assert heard["json"]["usage"] == {"type": "duration", "seconds": math.ceil(speech.long(5).seconds)}
    assert heard["headers"]["x-request-id"].startswith("req_")


def test_a_stream_adds_up(heard: dict[str, Any]) -> None:
    *deltas, done = heard["told"]
    assert {each["type"] for each in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert "".join(each["delta"] for each in deltas) == done["text"] == heard["json"]["text"]
    spelt = b"".join(bytes(token["bytes"]) for each in deltas for token in each["logprobs"])
    assert spelt.decode() == done["text"]
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"]


def test_a_translation_is_english(heard: dict[str, Any]) -> None:
    assert set(heard["translated"]["text"].lower().split()) & {"the", "you", "your", "to", "is", "of", "please", "a"}


def test_models_and_errors_are_what_the_client_knows(heard: dict[str, Any]) -> None:
    assert heard["models"] == ["tiny.en", "tiny", "base", "whisper-1"]
    assert heard["model"]["id"] == "whisper-1"
    wrong, unknown, stranger = heard["diarized"], heard["unknown"], heard["stranger"]
    assert (wrong["kind"], wrong["code"], wrong["param"]) == ("BadRequestError", "unsupported_value", "response_format")
    assert (unknown["kind"], unknown["code"]) == ("NotFoundError", "model_not_found")
    assert (stranger["kind"], stranger["code"]) == ("AuthenticationError", "invalid_api_key")
    assert all(each["id"].startswith("req_") for each in (wrong, unknown, stranger))
