"""What the answers to `openai_node/calls.mjs` must be like, wherever the service runs."""

import math
from typing import Any

import srt
import webvtt

from assets import speech
from clips import word_error_rate


def good(heard: dict[str, Any]) -> None:
    """Raises AssertionError unless what was said came back in every form, as a stream, and in English."""
    _every_form(heard)
    _stream(heard)
    assert set(heard["translated"]["text"].lower().split()) & {"the", "you", "your", "to", "is", "of", "please", "a"}


def _every_form(heard: dict[str, Any]) -> None:
    """One text, whatever format it was asked for in."""
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


def _stream(heard: dict[str, Any]) -> None:
    """Deltas that add up to the text, and one end."""
    *deltas, done = heard["told"]
    assert {each["type"] for each in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert "".join(each["delta"] for each in deltas) == done["text"] == heard["json"]["text"]
    spelt = b"".join(bytes(token["bytes"]) for each in deltas for token in each["logprobs"])
    assert spelt.decode() == done["text"]
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
