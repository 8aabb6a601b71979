"""From windows to their results, step by step: encode once; detect, decode, gate, try again, align in sub-batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from whisper_transcriber.batching.ladder import LADDER, Higher, Settled
from whisper_transcriber.batching.rows import Item, Row
from whisper_transcriber.domain.audio import SAMPLE_RATE
from whisper_transcriber.domain.options import Options, checked
from whisper_transcriber.domain.transcript import WindowResult
from whisper_transcriber.engine.port import Decoded, Engine, Language, Prompt, Sampling, Timed
from whisper_transcriber.metrics import Metrics

_WHOLE: Final = 30 * SAMPLE_RATE  # samples of the longest window
_TONE: Final = np.cos(np.arange(SAMPLE_RATE, dtype=np.float32) * np.float32(0.2)) * np.float32(0.25)

T = TypeVar("T")


class Pipeline:
    """Transcribes batches of windows of any requests on one engine.

    `batch_size` is the most rows in one call of the engine. Options may differ from item to item: what the engine
    cannot mix in one call goes into several. Blocks; call it in a thread.

    A step decodes each row once. Whoever tries again, or goes on where the model stopped short, needs another one: so a
    queue can let others go between, and join such rows of different requests.
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

    def begin(self, item: Item) -> Row:
        """A window at the beginning of its way. Raises UnsupportedOption like `check`."""
        return Row(replace(item, options=self.check(item.options)))

    def key(self, row: Row) -> Hashable:
        """Rows with equal keys gain from one step together."""
        options = row.item.options
        code = row.language.code if row.language else options.language or "en"
        prompt = Prompt(code, options.task, options.context)
        samples = _WHOLE if row.full else len(row.audio)
        return options.temperature, row.rung, self.engine.decode_key(prompt), self.engine.encode_key(samples)

    def step(self, rows: Sequence[Row]) -> list[Row]:
        """Take rows one decoding further, together; those that are not at their end then.

        Where it raises, no row has moved: it may be called again, with fewer of them.
        """
        stage = self._metrics.stage_seconds.labels
        with stage("encode").time():
            for full in (False, True):
                self._encode([row for row in rows if row.encoded is None and row.full == full], full=full)
        with stage("detect").time():
            self._detect([row for row in rows if row.language is None])
        with stage("generate").time():
            decoded = self._decode(rows)
        moves = [row.judged(result) for row, result in zip(rows, decoded, strict=True)]
        final = {
            id(row): row.believed(result)
            for row, result, then in zip(rows, decoded, moves, strict=True)
            if isinstance(then, Settled)
        }
        with stage("align").time():
            words = self._words([(row, final[id(row)]) for row in rows if id(row) in final])
        for row, result, then in zip(rows, decoded, moves, strict=True):
            if isinstance(then, Settled):
                row.add(final[id(row)], words[id(row)])
            else:
                row.tried(result, then)
        self._metrics.fallbacks.inc(sum(isinstance(then, Higher) for then in moves))
        return [row for row in rows if id(row) not in final or row.goes_on(final[id(row)])]

    def advanced(self, rows: Sequence[Row]) -> list[WindowResult | Row]:
        """The same, as the result of each row that is at its end, and the row itself where it is not."""
        left = {id(row) for row in self.step(rows)}
        return [row if id(row) in left else row.result() for row in rows]

    def together(self, batch: Sequence[Item]) -> list[WindowResult]:
        """The results of the items, in their order, computed as one batch. Raises UnsupportedOption like `check`."""
        rows = [self.begin(item) for item in batch]
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
        rows = [self.begin(item) for item in batch]
        # Longest first, so that no lane begins a long window when the others are about to be done.
        by_length = sorted(rows, key=lambda row: len(row.item.samples), reverse=True)
        _gathered([self._lanes.submit(self._finish, [row]) for row in by_length])
        return [row.result() for row in rows]

    def _finish(self, rows: Sequence[Row]) -> None:
        """Take rows all the way together, step by step."""
        while rows:
            rows = self.step(rows)

    def _encode(self, rows: Sequence[Row], *, full: bool) -> None:
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

    def _decode(self, rows: Sequence[Row]) -> list[Decoded]:
        """Decode each row once, at the temperature that was asked for and on its rung of the ladder."""
        found: dict[int, Decoded] = {}
        for part in _parts(rows, self._size, lambda row: (_sampling(row), self.engine.decode_key(row.prompt))):
            sampling = replace(_sampling(part[0]), beam_size=self._beam)
            decoded = self.engine.decode([row.states for row in part], [row.prompt for row in part], sampling)
            found.update({id(row): result for row, result in zip(part, decoded, strict=True)})
        return [found[id(row)] for row in rows]

    def _words(self, settled: Sequence[tuple[Row, Decoded]]) -> dict[int, list[list[Timed]]]:
        """The words of each phrase of each row, where they were asked for or are needed; else none."""
        found: dict[int, list[list[Timed]]] = {id(row): [[] for _ in result.phrases] for row, result in settled}
        asking = [(row, result) for row, result in settled if result.phrases and row.needs_words]
        for part in _parts(asking, self._size, lambda pair: self.engine.align_key(pair[0].prompt)):
            words = self.engine.align(
                [row.states for row, _ in part], [row.prompt for row, _ in part], [result.phrases for _, result in part]
            )
            found.update({id(row): each for (row, _), each in zip(part, words, strict=True)})
        return found


def _sampling(row: Row) -> Sampling:
    return Sampling(row.item.options.temperature, no_repeat=LADDER[row.rung])


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


def _parts(rows: Sequence[T], size: int, key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Rows with equal keys together, at most `size` at once, in the order in which each key first comes."""
    groups: dict[Hashable, list[T]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]
