"""What is batched with what, which rows are tried again, and how results come together; no model needed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from unit.transcriber_core.scripted import ScriptedEngine, said
from whisper_transcriber.batching import Item, Pipeline
from whisper_transcriber.batching.ladder import LADDER
from whisper_transcriber.domain.options import Options, UnsupportedOption
from whisper_transcriber.domain.window import Heard, Stretch, Window
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Phrase, Prompt, Sampling, Timed
from whisper_transcriber.metrics import Metrics


def item(name: int, options: Options | None = None, seconds: float = 1.0) -> Item:
    samples = np.full(round(seconds * 16_000), name, np.float32)
    return Item(Window(name, name * 10.0, name * 10.0 + seconds), samples, options or Options())


def test_results_come_in_the_order_of_the_items_with_times_of_the_file() -> None:
    results = Pipeline(ScriptedEngine()).run([item(3), item(1)])
    assert [result.window.index for result in results] == [3, 1]
    assert results[0].segments[0].text == " row 3 at 0"
    assert (results[0].segments[0].start, results[0].segments[0].end) == (30.0, 31.0)


def test_an_empty_batch_has_no_results() -> None:
    assert Pipeline(ScriptedEngine()).run([]) == []


def test_rows_of_different_requests_share_calls_up_to_the_batch_size() -> None:
    engine = ScriptedEngine()
    Pipeline(engine, batch_size=2).run([item(1), item(2, Options(language="fr")), item(3)])
    assert engine.batches("encode") == [[1, 2], [3]]
    assert engine.batches("detect") == [[1, 3]]
    assert engine.batches("decode") == [[1, 2], [3]]


def test_rows_that_the_engine_cannot_mix_are_decoded_apart() -> None:
    engine = ScriptedEngine()
    Pipeline(engine).run([item(1), item(2, Options(prompt="Kubernetes")), item(3)])
    assert engine.batches("decode") == [[1, 3], [2]]


def test_only_the_rows_that_loop_are_tried_again_together_and_may_not_repeat_themselves() -> None:
    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        loops = name < 3 and not sampling.no_repeat
        return said("again and again " * 30 if loops else f"without runs of {sampling.no_repeat}")

    engine, metrics = ScriptedEngine(script), Metrics()
    results = Pipeline(engine, metrics=metrics).run([item(1), item(2), item(3)])
    assert engine.batches("decode") == [[1, 2, 3], [1, 2]]
    texts = [result.segments[0].text for result in results]
    assert texts == [f" without runs of {LADDER[1]}"] * 2 + [" without runs of 0"]
    assert {result.segments[0].temperature for result in results} == {0.0}
    assert metrics.registry.get_sample_value("whisper_fallbacks_total") == 2


def test_a_window_that_the_model_is_merely_unsure_of_is_not_tried_again() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("hardly", logprob=-2.0))
    assert Pipeline(engine).run([item(1)])[0].segments[0].text == " hardly"
    assert len(engine.batches("decode")) == 1


def test_the_likeliest_try_that_is_no_loop_wins_when_none_passes() -> None:
    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        if not sampling.no_repeat:
            return said("again and again " * 30, logprob=-0.1)
        return said("another" if name == 1 else "and on and on " * 30, logprob=-2.0)

    results = Pipeline(ScriptedEngine(script)).run([item(1), item(2)])
    assert [result.segments[0].text[:12] for result in results] == [" another", " again and a"]


def test_a_temperature_that_was_asked_for_is_tried_once() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("x", logprob=-5.0))
    results = Pipeline(engine).run([item(1, Options(temperature=0.7))])
    assert len(engine.batches("decode")) == 1
    assert results[0].segments[0].temperature == 0.7


def test_silence_has_no_segments_and_is_not_tried_again() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("Thank you.", logprob=-1.5, no_speech=0.9))
    results = Pipeline(engine).run([item(1)])
    assert results[0].segments == ()
    assert len(engine.batches("decode")) == 1


def test_a_window_goes_on_from_where_the_model_stopped() -> None:
    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        return next(parts)

    parts = iter([said("one", seconds=10, resume=10.0), said("two", seconds=10, resume=10.0), said("three", seconds=5)])
    engine = ScriptedEngine(script)
    results = Pipeline(engine).run([item(1, seconds=25)])
    assert [(s.text, s.start, s.end) for s in results[0].segments] == [
        (" one", 10.0, 20.0),
        (" two", 20.0, 30.0),
        (" three", 30.0, 35.0),
    ]


def test_a_window_that_never_ends_is_given_up() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("more", seconds=0.1, resume=0.1))
    results = Pipeline(engine).run([item(1, seconds=25)])
    assert 1 < len(results[0].segments) < 10


def test_words_are_aligned_only_where_asked_for_and_give_the_segments_their_times() -> None:
    engine = ScriptedEngine()
    plain, worded = Pipeline(engine).run([item(1), item(2, Options(word_timestamps=True))])
    assert engine.batches("align") == [[2]]
    assert plain.segments[0].words == ()
    assert [word.word for word in worded.segments[0].words] == [" row 2 at 0"]


def test_a_language_is_detected_among_those_that_come_into_question() -> None:
    engine = ScriptedEngine(language=Language("it", 0.9))
    batch = [item(1), item(2, Options(languages=("de", "fr"))), item(3, Options(languages=("fr", "it"))), item(4)]
    assert [result.language for result in Pipeline(engine).run(batch)] == ["it", "de", "it", "it"]
    assert engine.batches("detect") == [[1, 4], [2], [3]]


def test_one_language_that_comes_into_question_need_not_be_detected() -> None:
    engine = ScriptedEngine(language=Language("it", 0.9))
    (result,) = Pipeline(engine).run([item(1, Options(languages=("German", "de")))])
    assert result.language == "de"
    assert engine.batches("detect") == []


def test_words_of_a_window_that_shares_audio_are_aligned_to_tell_which_are_shared() -> None:
    engine = ScriptedEngine()
    lapping = item(2)
    lapping = Item(replace(lapping.window, laps=True), lapping.samples)
    Pipeline(engine).run([item(1), lapping])
    assert engine.batches("align") == [[2]]


def test_text_where_hardly_anything_was_heard_is_dropped_without_another_try() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("Thank you.", logprob=-0.5, no_speech=0.5))
    faint, sure = (Heard((Stretch(10.0, 11.0),), certainty) for certainty in (0.4, 0.9))
    items = [Item(replace(item(1).window, heard=heard), item(1).samples) for heard in (faint, sure, None)]
    results = Pipeline(engine).run(items)
    assert [len(result.segments) for result in results] == [0, 1, 1]
    assert len(engine.batches("decode")) == 1


def test_a_loop_that_is_too_short_for_compression_is_tried_again() -> None:
    engine = ScriptedEngine(lambda name, prompt, sampling: said("dièse" if sampling.no_repeat else "dies " * 6))
    assert Pipeline(engine).run([item(1)])[0].segments[0].text == " dièse"


def test_a_window_that_lacks_words_is_cut_in_a_pause_and_no_other_is() -> None:
    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        once = "The conference will begin when the leader arrives."
        return said(once if name < 2 else f"{once} {once}", seconds=6.5 if name in (1, 2) else 3.0)

    def window(name: int) -> Item:
        samples = item(name, seconds=7).samples
        samples[round(3.4 * 16_000) :] = 1.5  # what the rest is known by
        heard = Heard((Stretch(name * 10 + 0.5, name * 10 + 3.0), Stretch(name * 10 + 3.8, name * 10 + 6.4)), 0.95)
        return Item(replace(item(name, seconds=7).window, heard=heard), samples, Options())

    engine = ScriptedEngine(script)
    cut, whole = Pipeline(engine).run([window(1), window(2)])
    assert engine.batches("encode") == [[1, 2], [1], [1.5]]
    assert [segment.text.count("leader") for segment in cut.segments] == [1, 1]
    assert cut.segments[1].start == pytest.approx(13.4)
    assert [segment.text.count("leader") for segment in whole.segments] == [2]


def test_what_fails_from_a_short_input_is_decoded_again_from_the_full_one() -> None:
    told = {1: replace(said("x", logprob=-2.0), short=True), 2: said("x"), 3: replace(said("x"), short=True)}
    engine = ScriptedEngine(lambda name, prompt, sampling: told[int(name)])
    Pipeline(engine).run([item(1), item(2), item(3)])
    assert engine.batches("encode in full")[0] == [1]
    assert engine.batches("decode")[:2] == [[1, 2, 3], [1]]


def test_the_full_input_comes_before_another_rung() -> None:
    def script(name: float, prompt: Prompt, sampling: Sampling) -> Decoded:
        tries.append((sampling.no_repeat, len(engine.batches("encode in full"))))
        return replace(said("x" if sampling.no_repeat else "on and " * 30), short=len(tries) == 1)

    tries: list[tuple[int, int]] = []
    engine = ScriptedEngine(script)
    Pipeline(engine).run([item(1)])
    assert tries == [(0, 0), (0, 1), (LADDER[1], 1)]


def test_a_step_that_raises_has_moved_nothing() -> None:
    class Unwell(ScriptedEngine):
        sick = True

        def align(
            self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
        ) -> list[list[list[Timed]]]:
            if self.sick:
                raise RuntimeError("not now")
            return super().align(rows, prompts, phrases)

    engine = Unwell()
    pipeline = Pipeline(engine)
    rows = [pipeline.begin(item(1)), pipeline.begin(item(2, Options(word_timestamps=True)))]
    with pytest.raises(RuntimeError, match="not now"):
        pipeline.step(rows)
    engine.sick = False
    assert pipeline.step(rows) == []
    assert [len(row.result().segments) for row in rows] == [1, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(language="es"), "only English"),
        (Options(languages=("es", "fr")), "only English"),
        (Options(language="en", languages=("en", "fr")), "not both"),
        (Options(languages=("en", "klingon")), "not one that Whisper knows"),
        (Options(task="translate"), "cannot translate"),
        (Options(language="klingon"), "not one that Whisper knows"),
        (Options(temperature=1.5), "between 0 and 1"),
    ],
)
def test_options_that_the_model_cannot_honour_are_refused(options: Options, words: str) -> None:
    with pytest.raises(UnsupportedOption, match=words):
        Pipeline(ScriptedEngine(multilingual=False)).run([item(1, options)])


@pytest.mark.parametrize(("given", "code"), [("EN", "en"), ("pt-BR", "pt"), ("Spanish", "es"), (" fr ", "fr")])
def test_languages_may_be_codes_locales_or_names(given: str, code: str) -> None:
    assert Pipeline(ScriptedEngine()).check(Options(language=given)).language == code
