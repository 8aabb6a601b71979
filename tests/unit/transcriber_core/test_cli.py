"""The commands that need no service, as a user runs them."""

import json
from pathlib import Path

import pytest
import srt

from assets import speech, weights
from unit.transcriber_core.hub import hub
from unit.transcriber_core.wording import error_rate
from whisper_transcriber import cli
from whisper_transcriber.__main__ import main
from whisper_transcriber.domain.options import Options, UnsupportedOption, Vad

CLIP = speech.prompt("vm-mismatch")


def run(*arguments: object) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_a_file_becomes_text_and_progress_goes_to_stderr(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("transcribe", CLIP.path, "--model", weights.tiny_en()) == 0
    said = capsysbinary.readouterr()
    assert error_rate([(CLIP.text, said.out.decode())]) <= 0.2
    assert b"of audio in" in said.err
    assert weights.TINY_EN.model_sha256.encode() in said.err


def test_verbose_json_with_words_into_a_file(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    to = tmp_path / "out.json"
    options = ("--format", "verbose_json", "--word-timestamps", "--output", to, "--threads", 1)
    assert run("transcribe", CLIP.path, "--model", weights.tiny_en(), *options) == 0
    body = json.loads(to.read_bytes())
    assert body["engine"] == "ctranslate2"
    assert body["model_digest"] == f"sha256:{weights.TINY_EN.model_sha256}"
    assert len(body["words"]) == len(body["text"].split())
    assert capsysbinary.readouterr().out == b""


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--language", "fr"], Options(language="fr")),
        (["--languages", "en", "fr"], Options(languages=("en", "fr"))),
        (["--task", "translate"], Options(task="translate")),
        (["--prompt", "Welcome."], Options(prompt="Welcome.")),
        (["--keywords", "Comedian Mail", "Digium"], Options(hotwords=("Comedian Mail", "Digium"))),
        (["--temperature", "0.5"], Options(temperature=0.5)),
        (["--threshold", "0.5"], Options(vad=Vad(threshold=0.5))),
        (["--silence-duration-ms", "800"], Options(vad=Vad(silence_duration_ms=800))),
        (["--prefix-padding-ms", "0"], Options(vad=Vad(prefix_padding_ms=0))),
        (["--channels", "speakers"], Options(channels="speakers")),
        (["--word-timestamps"], Options(word_timestamps=True)),
    ],
)
def test_each_argument_is_an_option_of_the_engine(
    arguments: list[str], options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each of them changes in the text is shown where the engine is tested."""
    asked: list[Options] = []

    def stop(_spec: object, _threads: int, options: Options) -> None:
        asked.append(options)
        raise UnsupportedOption("seen")

    monkeypatch.setattr(cli, "_pipeline", stop)
    assert run("transcribe", CLIP.path, "--model", weights.tiny_en(), *arguments) == 2
    assert asked == [options]
    assert options != Options()


def test_srt(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("transcribe", CLIP.path, "--model", weights.tiny_en(), "--format", "srt") == 0
    assert list(srt.parse(capsysbinary.readouterr().out.decode()))


def test_two_people_on_a_channel_each_are_told_apart(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    left, right = CLIP, speech.prompt("agent-newlocation")
    call = speech.call(left, right, tmp_path / "call.wav")
    asked = ("--model", weights.tiny_en(), "--channels", "speakers", "--format", "verbose_json")
    assert run("transcribe", call, *asked) == 0
    body = json.loads(capsysbinary.readouterr().out)
    for number, clip in enumerate((left, right), start=1):
        own = "".join(each["text"] for each in body["segments"] if each["speaker"] == f"Speaker {number}")
        assert error_rate([(clip.text, own)]) <= 0.2
    assert body["duration"] == pytest.approx(max(left.seconds, right.seconds), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((__file__,), "not audio"),
        (("/nonexistent.wav",), "No such file"),
        ((CLIP.path, "--language", "klingon"), "not one that Whisper knows"),
        ((CLIP.path, "--language", "fr"), "knows only English"),
        ((CLIP.path, "--language", "en", "--languages", "fr"), "Either language or languages"),
        ((CLIP.path, "--task", "translate"), "cannot translate"),
        ((CLIP.path, "--temperature", "2"), "temperature must be between 0 and 1"),
        ((CLIP.path, "--keywords", "word" * 101), "keywords may have at most 400 bytes"),
        ((CLIP.path, "--threshold", "2"), "threshold must be between 0 and 1"),
        ((CLIP.path, "--silence-duration-ms", "1"), "silence_duration_ms must be between 100 and 30000"),
        ((CLIP.path, "--prefix-padding-ms", "-1"), "prefix_padding_ms must be between 0 and 5000"),
    ],
)
def test_what_the_user_must_change_is_said_and_exits_with_2(
    arguments: tuple[object, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("transcribe", *arguments, "--model", weights.tiny_en()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error


@pytest.mark.parametrize(
    ("model", "says"),
    [("./nowhere", "does not exist"), ("gigantic", "not a known name"), ("a b", "cannot be the name of a model")],
)
def test_a_model_that_is_not_there(model: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", CLIP.path, "--model", model) == 2
    assert says in capsys.readouterr().err


def test_an_engine_that_is_not_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", CLIP.path, "--model", weights.tiny_en(), "--engine", "openai-whisper") == 2
    assert "asks for the engine openai-whisper, which this image does not have" in capsys.readouterr().err


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "list") == 0
    assert "large-v3-turbo     mobiuslabsgmbh/faster-whisper-large-v3-turbo" in capsys.readouterr().out


def test_a_model_is_pulled_into_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHISPER_MODEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with hub("Systran/faster-whisper-tiny.en", weights.tiny_en()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert run("models", "pull", "tiny.en", "--to", tmp_path / "mine") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mine'} sha256:{weights.TINY_EN.model_sha256}\n"
    assert {file.name for file in (tmp_path / "mine").iterdir()} >= {"model.bin", "config.json", "tokenizer.json"}
