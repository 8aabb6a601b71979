"""Engines on torch, in a process of the Python that has it: the port over a socket."""

import atexit
import os
import subprocess
import threading
import weakref
from collections.abc import Hashable, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Client, Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import mkdtemp
from typing import Any, TypeVar, cast

import numpy as np

from testbed import torchenv
from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Phrase, Prompt, Sampling, Timed

T = TypeVar("T")
_TESTS = Path(__file__).parents[2]


class _Hidden:
    """Encoded states that lie in the other process."""

    def __init__(self, number: int, length: int) -> None:
        self.number = number
        self._length = length

    def __len__(self) -> int:
        return self._length


class _States:
    """As `engine.rows.States`."""

    def __init__(self, hidden: _Hidden) -> None:
        self.hidden = hidden


class Process:
    """The other process, and a connection for each thread that talks to it."""

    def __init__(self) -> None:
        self._socket = str(Path(mkdtemp(prefix="torch-")) / "socket")
        path = os.pathsep.join([str(_TESTS), str(_TESTS.parent / "transcriber")])
        self._process = subprocess.Popen(
            [torchenv.python(), "-m", "contract.engine.torch_server", self._socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **torchenv.environment(), "PYTHONPATH": path},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._own = threading.local()
        self.forgotten: SimpleQueue[int] = SimpleQueue()  # rows that nobody here holds any more
        atexit.register(self.close)

    def ask(self, *question: Any) -> Any:
        """What the server's method answers. Raises ModelUnavailable if it does, and RuntimeError for all else."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = Client(self._socket, "AF_UNIX")
        connection.send(question)
        good, answer = connection.recv()
        if good:
            return answer
        kind, message = answer
        raise ModelUnavailable(message) if kind == "ModelUnavailable" else RuntimeError(f"{kind}: {message}")

    def forget(self) -> None:
        """Let the rows go that are not used here any more."""
        rows = []
        with suppress(Empty):
            while True:
                rows.append(self.forgotten.get_nowait())
        self.ask("forget", rows)

    def close(self) -> None:
        self._process.communicate()


@cache
def process() -> Process:
    """The one process of a test run."""
    return Process()


def write_checkpoint(converted: Path, to: Path) -> None:
    """Write a model in CTranslate2's form as a checkpoint of openai-whisper."""
    process().ask("write", str(converted / "model.bin"), str(to))


class TorchEngine:
    """An engine of the other process."""

    name: str
    model: str
    digest: str
    multilingual: bool
    lanes: int
    device: str
    compute_type: str

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        self._process = process()
        arguments = (str(files.path), files.digest, files.weights, spec.model_dump_json(by_alias=True), threads)
        self._number, facts = self._process.ask("load", *arguments)
        for name, value in facts.items():
            setattr(self, name, value)

    def longest(self, language: str | None) -> float:
        return self._call(float, "longest", None, language)

    def encode_key(self, samples: int) -> Hashable:
        return self._call(int, "encode_key", None, samples)

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        self._process.forget()
        rows = []
        sent = [np.ascontiguousarray(samples, np.float32).tobytes() for samples in batch]
        for number, length, seconds in self._process.ask("encode", self._number, sent, full):
            hidden = _Hidden(number, length)
            weakref.finalize(hidden, self._process.forgotten.put, number).atexit = False
            rows.append(Encoded(_States(hidden), seconds))
        return rows

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        return self._call(list[Language], "detect", rows, tuple(among))

    def decode_key(self, prompt: Prompt) -> Hashable:
        return self._call(int, "decode_key", None, prompt)

    def decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        return self._call(list[Decoded], "decode", rows, list(prompts), sampling)

    def align_key(self, prompt: Prompt) -> Hashable:
        return self._call(tuple[int, ...], "align_key", None, prompt)

    def align(
        self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
    ) -> list[list[list[Timed]]]:
        return self._call(list[list[list[Timed]]], "align", rows, list(prompts), [list(row) for row in phrases])

    def _call(self, answer: type[T], method: str, rows: Sequence[Encoded] | None, *arguments: Any) -> T:
        numbers = None if rows is None else [row.states.hidden.number for row in rows]
        return cast(T, self._process.ask("call", self._number, method, numbers, *arguments))
