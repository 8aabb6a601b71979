"""From a batch of windows to their results: encode once; detect, decode, gate, try again and align in sub-batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

import numpy as np

from whisper_transcriber.batching.filters import believed
from whisper_transcriber.batching.gate import LADDER, best, doubtful, left_out, passes
from whisper_transcriber.batching.rows import Item, Row
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.options import Options, checked
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.engine.port import Decoded, Engine, Language, Prompt, Sampling, Timed
from whisper_transcriber.metrics import Metrics

_ROUNDS: Final = 8  # how often one window is gone on with where the model stopped short
_CUTTING: Final = 4  # of the rounds; the others are left for what is not decoded yet
_CUTS: Final = 2  # in one round: what is left of a sentence that is said three times may hold it twice

_TONE: Final = np.cos(np.arange(SAMPLE_RATE, dtype=np.float32) * np.float32(0.2)) * np.float32(0.25)

T = TypeVar("T")


class Pipeline:
    """Transcribes batches of windows of any requests on one engine.

    `batch_size` is the most rows in one call of the engine. Options may differ from item to item: what the engine
    cannot mix in one call goes into several. Blocks; call it in a thread.
    """

    def __init__(
        self, engine: Engine, *, batch_size: int = 8, beam_size: int = 5, metrics: Metrics | None = None
    ) -> None:
        self.engine = engine
        self._size = batch_size
        self._beam = beam_size
        self._metrics = metrics or Metrics()
        self._lanes = ThreadPoolExecutor(engine.lanes, thread_name_prefix="lane") if engine.lanes > 1 else None

    def check(self, options: Options) -> Options:
        """The options as the engine takes them. Raises UnsupportedOption for what its model cannot do."""
        return checked(options, multilingual=self.engine.multilingual)

    def key(self, item: Item) -> Hashable:
        """Items (their options as `check` gave them) with equal keys gain from one batch."""
        options = item.options
        prompt = Prompt(options.language or "en", options.task, options.context)
        return options.temperature, self.engine.decode_key(prompt), self.engine.encode_key(len(item.samples))

    def together(self, batch: Sequence[Item]) -> list[WindowResult]:
        """The results of the items, in their order, computed as one batch. Raises UnsupportedOption like `check`."""
        rows = self._rows(batch)
        self._finish(rows)
        return [row.result() for row in rows]

    def trouble(self) -> Exception | None:
        """What the engine raises at a second of a tone, which every engine can transcribe; None while it is sound."""
        try:
            self.engine.decode(self.engine.encode([_TONE]), [Prompt("en")], Sampling(beam_size=1))
        except Exception as error:
            return error
        return None

    def run(self, batch: Sequence[Item]) -> list[WindowResult]:
        """The same for callers with a batch of their own and the engine to themselves; the rest go through a `Pump`.

        Where the engine has several lanes, each window goes all its way by itself on whichever is free first.
        """
        if self._lanes is None:
            return self.together(batch)
        rows = self._rows(batch)
        # Longest first, so that no lane begins a long window when the others are about to be done.
        by_length = sorted(rows, key=lambda row: len(row.item.samples), reverse=True)
        _gathered([self._lanes.submit(self._finish, [row]) for row in by_length])
        return [row.result() for row in rows]

    def _rows(self, batch: Sequence[Item]) -> list[Row]:
        return [Row(Item(item.window, item.samples, self.check(item.options)), 0.0) for item in batch]

    def _finish(self, rows: Sequence[Row]) -> None:
        """Take rows all the way together, round by round."""
        for number in range(_ROUNDS):
            rows = self._round(rows, cut=number < _CUTTING)
            if not rows:
                return

    def _round(self, rows: Sequence[Row], *, cut: bool) -> list[Row]:
        """Take each row one decoding further; return those with more to say. `cut`: one may be cut in two."""
        stage = self._metrics.stage_seconds.labels
        with stage("encode").time():
            self._encode(rows)
        with stage("detect").time():
            self._detect([row for row in rows if row.language is None])
        with stage("generate").time():
            decoded = self._decode(rows, cut=cut)
        with stage("align").time():
            self._collect(rows, decoded)
        return [row for row, result in zip(rows, decoded, strict=True) if row.goes_on(result)]

    def _encode(self, rows: Sequence[Row], *, full: bool = False) -> None:
        for part in _parts(rows, self._size, lambda row: None):
            for row, encoded in zip(part, self.engine.encode([row.audio for row in part], full=full), strict=True):
                row.encoded = encoded

    def _detect(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.item.options.language is not None:
                row.language = Language(row.item.options.language, 1.0)
        unknown = [row for row in rows if row.language is None]
        for part in _parts(unknown, self._size, lambda row: row.item.options.languages):
            among = part[0].item.options.languages
            for row, found in zip(part, self.engine.detect([row.states for row in part], among), strict=True):
                row.language = found

    def _decode(self, rows: Sequence[Row], *, cut: bool) -> list[Decoded]:
        """Up the ladder of temperatures, each time with only the rows that have not passed yet, whosever they are.

        What did not pass from a short encoder input has that try again from the full one, and what lacks words has it
        again without what comes after a pause: each for itself, and before chance has a part in anything.
        """
        tries: dict[int, list[Decoded]] = {id(row): [] for row in rows}
        for step, hotter in enumerate(LADDER):
            left = [row for row in rows if _tries_again(row, tries[id(row)], step)]
            self._metrics.fallbacks.inc(len(left) if step else 0)
            self._try(left, hotter, tries)
            if cut and step == 0:
                self._cut(left, tries)
            again = [row for row in left if doubtful(tries[id(row)][-1], row.heard)]
            self._encode(again, full=True)
            self._try(again, hotter, tries)
        return [believed(best(tries[id(row)], row.heard), row.heard) for row in rows]

    def _cut(self, rows: Sequence[Row], tries: Mapping[int, list[Decoded]]) -> None:
        """Cut rows where words are missing, until none are; the tries are then those of what is left of them."""
        for _ in range(_CUTS):
            ends = {id(row): left_out(tries[id(row)][-1], row.heard) for row in rows}
            rows = [row for row in rows if ends[id(row)] is not None]
            for row in rows:
                row.until = row.offset + (ends[id(row)] or 0.0)
                tries[id(row)].clear()
            self._encode(rows)
            self._try(rows, LADDER[0], tries)

    def _try(self, rows: Sequence[Row], temperature: float, tries: Mapping[int, list[Decoded]]) -> None:
        """Decode rows once, at the temperature that was asked for or this one, and add the results to their tries."""
        warmth = [(row, row.item.options.temperature or temperature) for row in rows]
        for pairs in _parts(warmth, self._size, lambda pair: (pair[1], self.engine.decode_key(pair[0].prompt))):
            part, sampling = [row for row, _ in pairs], Sampling(pairs[0][1], self._beam)
            states = [row.states for row in part]
            for row, result in zip(
                part, self.engine.decode(states, [row.prompt for row in part], sampling), strict=True
            ):
                tries[id(row)].append(result)

    def _collect(self, rows: Sequence[Row], decoded: Sequence[Decoded]) -> None:
        """Add what was decoded to the rows' segments, with words where they were asked for or are needed."""
        spoken = [(row, result) for row, result in zip(rows, decoded, strict=True) if result.phrases]
        timed: dict[int, list[list[Timed]]] = {}
        asking = [(row, result) for row, result in spoken if row.needs_words]
        for part in _parts(asking, self._size, lambda pair: self.engine.align_key(pair[0].prompt)):
            words = self.engine.align(
                [row.states for row, _ in part], [row.prompt for row, _ in part], [result.phrases for _, result in part]
            )
            timed.update({id(row): each for (row, _), each in zip(part, words, strict=True)})
        for row, result in spoken:
            row.add(result, timed.get(id(row)) or [[] for _ in result.phrases])


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
