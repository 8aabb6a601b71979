"""The unmodified Python client against the running service: each call that it has for audio, errors and retries."""

import threading
from itertools import pairwise

import httpx
import openai
import pytest
import srt
import webvtt

from assets import speech
from clips import word_error_rate
from services.running import KEY, PATIENCE, Client, Process, Service
from services.servers import wait_until

CLIP = speech.long(5)


def test_a_stream_is_the_text_bit_by_bit(client: Client) -> None:
    clip = CLIP
    with client.openai as api:
        whole = api.audio.transcriptions.create(file=clip.path, model="whisper-1", include=["logprobs"])
        stream = api.audio.transcriptions.create(file=clip.path, model="whisper-1", include=["logprobs"], stream=True)
        told = list(stream)
    deltas, done = [each for each in told if each.type == "transcript.text.delta"], told[-1]
    assert len(deltas) == len(told) - 1
    assert done.type == "transcript.text.done"
    assert "".join(each.delta for each in deltas) == done.text == whole.text
    assert word_error_rate(clip.text, done.text) < 0.3
    tokens = [token for each in deltas for token in each.logprobs or ()]
    assert b"".join(bytes(token.bytes or ()) for token in tokens).decode() == done.text
    assert all(token.logprob is not None and token.logprob <= 0 for token in tokens)
    assert [token.logprob for token in tokens] == [token.logprob for token in whole.logprobs or ()]
    assert done.usage is not None
    assert done.usage.input_token_details is not None
    assert done.usage.input_token_details.audio_tokens == pytest.approx(50 * clip.seconds, abs=20)
    assert 0 < done.usage.output_tokens == done.usage.total_tokens - done.usage.input_tokens


def test_words_have_their_times(client: Client) -> None:
    with client.openai as api:
        heard = api.audio.transcriptions.create(
            file=CLIP.path, model="tiny", response_format="verbose_json", timestamp_granularities=["word"]
        )
    assert heard.words is not None
    assert heard.segments is None
    assert [word.word for word in heard.words] == heard.text.split()
    assert all(word.start <= word.end for word in heard.words)
    assert all(before.start <= after.start for before, after in pairwise(heard.words))
    assert heard.words[-1].end <= heard.duration


def test_captions_fit_and_say_everything(client: Client) -> None:
    with client.openai as api:
        text = api.audio.transcriptions.create(file=CLIP.path, model="tiny", response_format="text")
        captions = list(srt.parse(api.audio.transcriptions.create(file=CLIP.path, model="tiny", response_format="srt")))
        vtt = webvtt.from_string(api.audio.transcriptions.create(file=CLIP.path, model="tiny", response_format="vtt"))
    assert " ".join(" ".join(cue.content.split()) for cue in captions) == text.strip()
    assert " ".join(" ".join(cue.text.split()) for cue in vtt) == text.strip()
    for cue in captions:
        assert (cue.end - cue.start).total_seconds() <= 7
        assert len(cue.content.splitlines()) <= 2
        assert max(map(len, cue.content.splitlines())) <= 42


def test_options_are_understood(client: Client) -> None:
    with client.openai as api:
        heard = api.audio.transcriptions.create(
            file=("upload", CLIP.path.read_bytes()),
            model="tiny.en",
            language="en",
            prompt="Comedian Mail",
            temperature=0.2,
            chunking_strategy={"type": "server_vad", "silence_duration_ms": 500},
            keywords=["voicemail"],
        )
    assert word_error_rate(CLIP.text, heard.text) < 0.35


def test_french_is_translated_into_english(client: Client) -> None:
    clip = speech.sentences("fr")[0]
    with client.openai as api:
        said = api.audio.transcriptions.create(file=clip.path, model="base", response_format="verbose_json")
        english = api.audio.translations.create(file=clip.path, model="base", response_format="verbose_json")
    assert (said.language, english.language) == ("french", "french")
    assert english.text != said.text
    assert set(english.text.lower().split()) & {"the", "you", "your", "to", "is", "of", "please", "a"}


def test_a_model_that_cannot_translate_says_so_once(client: Client) -> None:
    with client.openai as api, pytest.raises(openai.BadRequestError) as caught:
        api.audio.translations.create(file=speech.sentences("fr")[0].path, model="tiny.en")
    assert (caught.value.code, caught.value.param) == ("unsupported_option", "model")


def test_models_are_listed_and_found(client: Client) -> None:
    with client.openai as api:
        assert [model.id for model in api.models.list()] == ["tiny.en", "tiny", "base", "whisper-1"]
        assert api.models.retrieve("whisper-1").object == "model"
        with pytest.raises(openai.NotFoundError) as caught:
            api.models.retrieve("none")
    assert caught.value.code == "model_not_found"


def test_errors_are_the_clients_own(client: Client) -> None:
    with client.openai as api:
        with pytest.raises(openai.BadRequestError) as wrong:
            api.audio.transcriptions.create(file=CLIP.path, model="tiny", response_format="diarized_json")
        assert (wrong.value.code, wrong.value.param) == ("unsupported_value", "response_format")
        assert wrong.value.request_id is not None
        with pytest.raises(openai.BadRequestError) as speakers:
            api.audio.transcriptions.create(file=CLIP.path, model="tiny", extra_body={"known_speaker_names": ["agent"]})
        assert speakers.value.code == "unsupported_parameter"
        with pytest.raises(openai.NotFoundError):
            api.audio.transcriptions.create(file=CLIP.path, model="none")
        with pytest.raises(openai.BadRequestError) as broken:
            list(api.audio.transcriptions.create(file=("a.wav", b"no audio"), model="tiny", stream=True))
        assert broken.value.code == "invalid_audio"
        with pytest.raises(openai.AuthenticationError):
            api.with_options(api_key="wrong").models.list()


def test_a_client_that_is_out_of_patience_and_asks_again_costs_one_transcription(service: Service) -> None:
    serving, answers = service.start("serve"), list[str]()
    client = Client(serving)

    def impatient(request: httpx.Request) -> None:
        if request.headers["x-stainless-retry-count"] == "0":
            request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), 1.0)

    def ask() -> None:
        with httpx.Client(event_hooks={"request": [impatient]}) as http:
            api = openai.OpenAI(base_url=f"{serving.url}/v1", api_key=KEY, timeout=PATIENCE, http_client=http)
            answers.append(api.audio.transcriptions.create(file=CLIP.path, model="whisper-1").text)

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in asking:
        thread.start()
    # No worker yet: all give up once, and come back.
    wait_until(lambda: client.left() == 2, "both clients to give up", PATIENCE)
    worker = service.start("work")
    for thread in asking:
        thread.join(PATIENCE)
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert word_error_rate(CLIP.text, answers[0]) < 0.3
    alone = client.ended(client.submit(CLIP.path, language="en")["id"])["windows"]["total"]
    assert worker.metric("whisper_windows_total") == 2 * alone
    with client.http as http:
        assert [job["status"] for job in http.get("/v1/jobs").json()["data"]] == ["succeeded"]


def test_a_client_that_goes_away_stops_the_work(client: Client, shared: tuple[Service, Client, Process]) -> None:
    clip = speech.long(600)
    with client.openai as api:
        stream = api.audio.transcriptions.create(file=clip.path, model="tiny", stream=True)
        assert next(iter(stream)).type == "transcript.text.delta"
        with client.http as http:
            (job,) = [each for each in http.get("/v1/jobs").json()["data"] if each["status"] == "running"]
        stream.close()
    wait_until(lambda: client.job(job["id"])["status"] == "parked", "the job to be parked", 10)
    worker = shared[2]
    wait_until(lambda: worker.metric("whisper_worker_busy") == 0, "the worker to leave it", 20)
    assert client.job(job["id"])["progress"] < 90
    with client.http as http:
        assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204
