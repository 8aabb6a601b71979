"""From a batch of windows to their results: encode once; detect, decode, gate, try again and align in sub-batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from whisper_transcriber.batching.filters import believed
from whisper_transcriber.batching.gate import LADDER, best, passes, silent
from whisper_transcriber.batching.rows import Item, Row
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.options import Options, checked
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.engine.port import Decoded, Engine, Language, Sampling, Timed

_ROUNDS: Final = 8  # how often one window is gone on with where the model stopped short
_SURE: Final = 0.5  # of a language; below it, what the rest of the file is in says more than one short window

T = TypeVar("T")


class Pipeline:
    """Transcribes batches of windows of any requests on one engine.

    `batch_size` is the most rows in one call of the engine. Options may differ from item to item: what the engine
    cannot mix in one call goes into several. Where the engine has several lanes, each window goes all its way by itself
    on one of them, whichever is free first: so its result cannot depend on what is beside it, and the windows of all
    the threads that call `run` wait in one queue. Blocks; call it in a thread.
    """

    def __init__(self, engine: Engine, *, batch_size: int = 8, beam_size: int = 5) -> None:
        self.engine = engine
        self._size = batch_size
        self._beam = beam_size
        self._lanes = ThreadPoolExecutor(engine.lanes, thread_name_prefix="lane") if engine.lanes > 1 else None

    def check(self, options: Options) -> Options:
        """The options as the engine takes them. Raises UnsupportedOption for what its model cannot do."""
        return checked(options, multilingual=self.engine.multilingual)

    def run(self, batch: Sequence[Item]) -> list[WindowResult]:
        """The results of the items, in their order. Raises UnsupportedOption where `check` would."""
        rows = [Row(Item(i.window, i.samples, self.check(i.options), i.hint), 0.0) for i in batch]
        if self._lanes is None:
            self._finish(rows)
        else:
            # Longest first, so that no lane begins a long window when the others are about to be done.
            by_length = sorted(rows, key=lambda row: len(row.item.samples), reverse=True)
            going = [self._lanes.submit(self._finish, [row]) for row in by_length]
            _gathered(going)
        return [row.result() for row in rows]

    def _finish(self, rows: Sequence[Row]) -> None:
        """Take rows all the way together, round by round."""
        for _ in range(_ROUNDS):
            rows = self._round(rows)
            if not rows:
                return

    def _round(self, rows: Sequence[Row]) -> list[Row]:
        """Take each row one decoding further; return those with more to say."""
        self._encode(rows)
        self._detect([row for row in rows if row.language is None])
        decoded = self._decode(rows)
        self._collect(rows, decoded)
        more = []
        for row, result in zip(rows, decoded, strict=True):
            if result.resume is not None and not silent(result, row.heard):
                row.go_on(result.resume)
                more.append(row)
        return more

    def _encode(self, rows: Sequence[Row]) -> None:
        for part in _parts(rows, self._size, lambda row: None):
            audio = [row.item.samples[round(row.offset * SAMPLE_RATE) :] for row in part]
            for row, encoded in zip(part, self.engine.encode(audio), strict=True):
                row.encoded = encoded

    def _detect(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.item.options.language is not None:
                row.language = Language(row.item.options.language, 1.0)
        unknown = [row for row in rows if row.language is None]
        for part in _parts(unknown, self._size, lambda row: row.item.options.languages):
            among = part[0].item.options.languages
            for row, found in zip(part, self.engine.detect([row.states for row in part], among), strict=True):
                unsure = found.probability < _SURE and row.item.hint is not None
                row.language = Language(row.item.hint or found.code, found.probability) if unsure else found

    def _decode(self, rows: Sequence[Row]) -> list[Decoded]:
        """Up the ladder of temperatures, each time with only the rows that have not passed yet, whosever they are."""
        tries: dict[int, list[Decoded]] = {id(row): [] for row in rows}
        for step, hotter in enumerate(LADDER):
            left = [row for row in rows if _tries_again(row, tries[id(row)], step)]
            warmth = [(row, row.item.options.temperature or hotter) for row in left]
            for pairs in _parts(warmth, self._size, lambda pair: (pair[1], self.engine.decode_key(pair[0].prompt))):
                part, sampling = [row for row, _ in pairs], Sampling(pairs[0][1], self._beam)
                states = [row.states for row in part]
                for row, result in zip(
                    part, self.engine.decode(states, [row.prompt for row in part], sampling), strict=True
                ):
                    tries[id(row)].append(result)
        return [believed(best(tries[id(row)], row.heard), row.heard) for row in rows]

    def _collect(self, rows: Sequence[Row], decoded: Sequence[Decoded]) -> None:
        """Add what was decoded to the rows' segments; the words are found in time where that is asked for or needed."""
        spoken = [(row, result) for row, result in zip(rows, decoded, strict=True) if result.phrases]
        timed: dict[int, list[list[Timed]]] = {}
        asking = [(row, result) for row, result in spoken if row.needs_words]
        for part in _parts(asking, self._size, lambda pair: self.engine.align_key(pair[0].prompt)):
            words = self.engine.align(
                [row.states for row, _ in part], [row.prompt for row, _ in part], [result.phrases for _, result in part]
            )
            timed.update({id(row): each for (row, _), each in zip(part, words, strict=True)})
        for row, result in spoken:
            row.add(result, timed.get(id(row)))


def _gathered(going: Sequence[Future[None]]) -> None:
    """Wait for all; where one fails, take back those not begun, wait for the rest, and raise what it raised."""
    done, _ = wait(going, return_when=FIRST_EXCEPTION)
    if any(each.exception() for each in done):
        for each in going:
            each.cancel()
        wait(going)
    for each in going:
        if not each.cancelled():
            each.result()


def _tries_again(row: Row, tries: Sequence[Decoded], step: int) -> bool:
    """Whether a row is decoded on this step of the ladder: a temperature that was asked for is tried once."""
    if row.item.options.temperature > 0:
        return step == 0
    return not tries or not passes(tries[-1], row.heard)


def _parts(rows: Sequence[T], size: int, key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Rows with equal keys together, at most `size` at once, in the order in which each key first comes."""
    groups: dict[Hashable, list[T]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]
