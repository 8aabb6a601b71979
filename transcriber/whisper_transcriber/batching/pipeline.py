"""From a batch of windows to their results: encode once; detect, decode, gate, try again and align in sub-batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from whisper_transcriber.batching.gate import LADDER, best, compression_ratio, passes, silent
from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.options import Options, checked
from whisper_transcriber.domain.transcript import Segment, WindowResult, Word
from whisper_transcriber.domain.window import Window
from whisper_transcriber.engine.port import Decoded, Encoded, Engine, Language, Phrase, Prompt, Sampling, Timed

_ROUNDS: Final = 8  # how often one window is gone on with where the model stopped short
_SURE: Final = 0.5  # of a language; below it, what the rest of the file is in says more than one short window

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Item:
    """A window to transcribe. `hint` is the language of the file so far, used where the window itself is unclear."""

    window: Window
    samples: Samples
    options: Options = field(default_factory=Options)
    hint: str | None = None


@dataclass(eq=False)
class _Row:
    """A stretch of a window on its way: all of it at first, then what is left where the model stopped short."""

    item: Item
    offset: float  # seconds of the window
    language: Language | None = None
    encoded: Encoded | None = None
    segments: list[Segment] = field(default_factory=list)

    @property
    def prompt(self) -> Prompt:
        assert self.language is not None, "languages are settled before decoding"
        return Prompt(self.language.code, self.item.options.task, self.item.options.prompt)

    @property
    def states(self) -> Encoded:
        assert self.encoded is not None, "rows are encoded first"
        return self.encoded


class Pipeline:
    """Transcribes batches of windows of any requests on one engine.

    `batch_size` is the most rows in one call of the engine. Options may differ from item to item: what the engine
    cannot mix in one call goes into several. Blocks; call it in a thread.
    """

    def __init__(self, engine: Engine, *, batch_size: int = 8, beam_size: int = 5) -> None:
        self.engine = engine
        self._size = batch_size
        self._beam = beam_size

    def check(self, options: Options) -> Options:
        """The options as the engine takes them. Raises UnsupportedOption for what its model cannot do."""
        return checked(options, multilingual=self.engine.multilingual)

    def run(self, batch: Sequence[Item]) -> list[WindowResult]:
        """The results of the items, in their order. Raises UnsupportedOption where `check` would."""
        rows = [_Row(Item(i.window, i.samples, self.check(i.options), i.hint), 0.0) for i in batch]
        going = rows
        for _ in range(_ROUNDS):
            going = self._round(going)
            if not going:
                break
        return [_result(row) for row in rows]

    def _round(self, rows: Sequence[_Row]) -> list[_Row]:
        """Take each row one decoding further; return those with more to say."""
        self._encode(rows)
        self._detect([row for row in rows if row.language is None])
        decoded = self._decode(rows)
        self._collect(rows, decoded)
        more = []
        for row, result in zip(rows, decoded, strict=True):
            if result.resume is not None and not silent(result):
                row.offset += result.resume
                more.append(row)
        return more

    def _encode(self, rows: Sequence[_Row]) -> None:
        for part in _parts(rows, self._size, lambda row: None):
            audio = [row.item.samples[round(row.offset * SAMPLE_RATE) :] for row in part]
            for row, encoded in zip(part, self.engine.encode(audio), strict=True):
                row.encoded = encoded

    def _detect(self, rows: Sequence[_Row]) -> None:
        for row in rows:
            if row.item.options.language is not None:
                row.language = Language(row.item.options.language, 1.0)
        for part in _parts([row for row in rows if row.language is None], self._size, lambda row: None):
            for row, found in zip(part, self.engine.detect([row.states for row in part]), strict=True):
                unsure = found.probability < _SURE and row.item.hint is not None
                row.language = Language(row.item.hint or found.code, found.probability) if unsure else found

    def _decode(self, rows: Sequence[_Row]) -> list[Decoded]:
        """Up the ladder of temperatures, each time with only the rows that have not passed yet, whosever they are."""
        tries: dict[int, list[Decoded]] = {id(row): [] for row in rows}
        for step, hotter in enumerate(LADDER):
            left = [row for row in rows if _tries_again(row.item.options, tries[id(row)], step)]
            warmth = [(row, row.item.options.temperature or hotter) for row in left]
            for pairs in _parts(warmth, self._size, lambda pair: (pair[1], self.engine.decode_key(pair[0].prompt))):
                part, sampling = [row for row, _ in pairs], Sampling(pairs[0][1], self._beam)
                states = [row.states for row in part]
                for row, result in zip(
                    part, self.engine.decode(states, [row.prompt for row in part], sampling), strict=True
                ):
                    tries[id(row)].append(result)
        return [best(tries[id(row)]) for row in rows]

    def _collect(self, rows: Sequence[_Row], decoded: Sequence[Decoded]) -> None:
        """Add what was decoded to the rows' segments, with words where they were asked for."""
        spoken = [(row, result) for row, result in zip(rows, decoded, strict=True) if not silent(result)]
        timed: dict[int, list[list[Timed]]] = {}
        asking = [(row, result) for row, result in spoken if row.item.options.word_timestamps and result.phrases]
        for part in _parts(asking, self._size, lambda pair: self.engine.align_key(pair[0].prompt)):
            words = self.engine.align(
                [row.states for row, _ in part], [row.prompt for row, _ in part], [result.phrases for _, result in part]
            )
            timed.update({id(row): each for (row, _), each in zip(part, words, strict=True)})
        for row, result in spoken:
            words_of = timed.get(id(row)) or [[] for _ in result.phrases]
            for phrase, words_in in zip(result.phrases, words_of, strict=True):
                row.segments.append(_segment(phrase, words_in, result, row.item.window.start + row.offset))


def _tries_again(options: Options, tries: Sequence[Decoded], step: int) -> bool:
    """Whether a row is decoded on this step of the ladder: a temperature that was asked for is tried once."""
    if options.temperature > 0:
        return step == 0
    return not tries or not passes(tries[-1])


def _parts(rows: Sequence[T], size: int, key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Rows with equal keys together, at most `size` at once, in the order in which each key first comes."""
    groups: dict[Hashable, list[T]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _segment(phrase: Phrase, words: Sequence[Timed], decoded: Decoded, origin: float) -> Segment:
    """A phrase as a segment of the file; words, where there are any, know better when it began and ended."""
    timed = tuple(
        Word(round(origin + word.start, 2), round(origin + word.end, 2), word.word, round(word.probability, 4))
        for word in words
    )
    return Segment(
        start=timed[0].start if timed else round(origin + phrase.start, 2),
        end=timed[-1].end if timed else round(origin + phrase.end, 2),
        text=phrase.text,
        tokens=phrase.tokens,
        temperature=decoded.temperature,
        avg_logprob=round(decoded.avg_logprob, 6),
        compression_ratio=round(compression_ratio(decoded.text.strip()), 6),
        no_speech_prob=round(decoded.no_speech_prob, 6),
        words=timed,
    )


def _result(row: _Row) -> WindowResult:
    assert row.language is not None, "a row that went through has a language"
    return WindowResult(row.item.window, row.language.code, round(row.language.probability, 4), tuple(row.segments))
