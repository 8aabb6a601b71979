"""The unmodified Node client against the running service: each call that it has for audio, and errors."""

from typing import Any

import pytest

from services import openai_answers
from services.node import openai_calls
from services.running import KEY, Client


@pytest.fixture(scope="module")
def heard(client: Client) -> dict[str, Any]:
    """What the script's calls came to."""
    return openai_calls(client.api.url, KEY)


def test_what_was_said_comes_back_in_every_form_as_a_stream_and_in_english(heard: dict[str, Any]) -> None:
    openai_answers.good(heard)


def test_models_and_errors_are_what_the_client_knows(heard: dict[str, Any]) -> None:
    assert heard["models"] == ["tiny.en", "tiny", "base", "whisper-1"]
    assert heard["model"]["id"] == "whisper-1"
    wrong, unknown, stranger = heard["diarized"], heard["unknown"], heard["stranger"]
    assert (wrong["kind"], wrong["code"], wrong["param"]) == ("BadRequestError", "unsupported_value", "response_format")
    assert (unknown["kind"], unknown["code"]) == ("NotFoundError", "model_not_found")
    assert (stranger["kind"], stranger["code"]) == ("AuthenticationError", "invalid_api_key")
    assert all(each["id"].startswith("req_") for each in (wrong, unknown, stranger))
