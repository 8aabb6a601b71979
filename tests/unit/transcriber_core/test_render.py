"""Response bodies, read by the libraries that others read them with."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import srt
import webvtt
from openai.types.audio import TranscriptionVerbose

from whisper_transcriber.domain.transcript import Segment, Transcript, Word
from whisper_transcriber.render import FORMATS, Format, render

LONG = (
    " Please press 1 to mute or unmute yourself, 2 to lock or unlock the conference,"
    " 3 to eject the last user & more <now>."
)


def transcript(*segments: Segment) -> Transcript:
    return Transcript("transcribe", "en", 61.2, segments, "base", "sha256:abc", "ctranslate2")


def segment(text: str, start: float, end: float, *, words: bool = False) -> Segment:
    spoken = text.split()
    step = (end - start) / len(spoken)
    timed = tuple(
        Word(round(start + i * step, 2), round(start + (i + 1) * step, 2), f" {word}", 0.9)
        for i, word in enumerate(spoken)
    )
    return Segment(start, end, text, (1, 2), 0.0, -0.2, 1.3, 0.01, timed if words else ())


def body(it: Transcript, format: Format, *granularities: str) -> str:
    return render(it, format, granularities or ("segment",))[0].decode()  # type: ignore[arg-type]


def test_json_and_text() -> None:
    it = transcript(segment(" Hello there.", 0, 1), segment(" Goodbye.", 1, 2))
    assert json.loads(body(it, "json"))["text"] == "Hello there. Goodbye."
    assert body(it, "text") == "Hello there. Goodbye.\n"


def test_verbose_json_is_what_the_openai_client_reads_and_says_what_made_it() -> None:
    it = transcript(segment(" Hello there.", 0.5, 1.5, words=True))
    raw = body(it, "verbose_json", "segment", "word")
    parsed = TranscriptionVerbose.model_validate_json(raw)
    assert parsed.language == "english"
    assert parsed.segments is not None
    assert parsed.words is not None
    assert (parsed.segments[0].start, parsed.segments[0].text) == (0.5, " Hello there.")
    assert [word.word for word in parsed.words] == ["Hello", "there."]
    extra = json.loads(raw)
    assert (extra["model"], extra["model_digest"], extra["engine"]) == ("base", "sha256:abc", "ctranslate2")


def test_granularities_choose_what_is_listed() -> None:
    it = transcript(segment(" Hello there.", 0.5, 1.5, words=True))
    assert "words" not in json.loads(body(it, "verbose_json"))
    assert "segments" not in json.loads(body(it, "verbose_json", "word"))


@pytest.mark.parametrize("words", [True, False])
def test_srt_is_valid_and_fits_on_the_screen(words: bool) -> None:
    it = transcript(segment(" Hello.", 0, 1), segment(LONG, 3600.25, 3612.5, words=words))
    cues = list(srt.parse(body(it, "srt")))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    assert " ".join(" ".join(cue.content.split()) for cue in cues) == it.text
    assert cues[1].start.total_seconds() == 3600.25
    assert cues[-1].end.total_seconds() == 3612.5
    for before, after in pairwise(cues):
        assert before.start < before.end <= after.start
    for cue in cues:
        lines = cue.content.splitlines()
        assert len(lines) <= 2
        assert max(map(len, lines)) <= 42


def test_vtt_is_valid_and_escaped() -> None:
    text = body(transcript(segment(LONG, 0, 12.5, words=True)), "vtt")
    assert text.startswith("WEBVTT\n\n")
    assert "&lt;now&gt;" in text
    captions = webvtt.from_string(text)
    assert captions[0].start == "00:00:00.000"
    assert captions[-1].end == "00:00:12.500"


@pytest.mark.parametrize("format", FORMATS)
def test_silence_can_be_rendered(format: Format) -> None:
    content, content_type = render(transcript(), format)
    assert content_type
    if format == "srt":
        assert content == b""
    if format == "vtt":
        assert content == b"WEBVTT\n\n"


def call() -> Transcript:
    """Two people on a channel each, who speak at the same time for a moment."""
    left, right = (
        segment(" Hello, how are <you>?", 0.0, 2.0, words=True),
        segment(" Fine, thank you.", 1.5, 3.0, words=True),
    )
    return transcript(
        replace(left, channel=0), replace(right, channel=1), replace(segment(" Good.", 4.0, 5.0, words=True), channel=1)
    )


def test_verbose_json_says_who_said_what_where_each_has_a_channel() -> None:
    found = json.loads(body(call(), "verbose_json", "segment", "word"))
    assert [(each["channel"], each["speaker"]) for each in found["segments"]] == [
        (1, "Speaker 1"),
        (2, "Speaker 2"),
        (2, "Speaker 2"),
    ]
    assert [word["start"] for word in found["words"]] == sorted(word["start"] for word in found["words"])
    assert {word["word"]: word["speaker"] for word in found["words"]}["Fine,"] == "Speaker 2"
    mixed = json.loads(body(transcript(segment(" Hello.", 0, 1)), "verbose_json"))
    assert "speaker" not in mixed["segments"][0]


def test_text_has_a_line_for_each_turn_of_a_speaker() -> None:
    assert body(call(), "text") == "Speaker 1: Hello, how are <you>?\nSpeaker 2: Fine, thank you. Good.\n"
    assert json.loads(body(call(), "json"))["text"] == "Hello, how are <you>? Fine, thank you. Good."


def test_captions_say_who_speaks_and_may_be_there_at_the_same_time() -> None:
    cues = list(srt.parse(body(call(), "srt")))
    assert [cue.content.partition(": ")[0] for cue in cues] == ["Speaker 1", "Speaker 2", "Speaker 2"]
    assert cues[1].start < cues[0].end
    found = webvtt.from_string(body(call(), "vtt"))
    assert [(cue.voice, cue.text) for cue in found] == [
        ("Speaker 1", "Hello, how are &lt;you&gt;?"),
        ("Speaker 2", "Fine, thank you."),
        ("Speaker 2", "Good."),
    ]
