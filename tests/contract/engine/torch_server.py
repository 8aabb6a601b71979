"""`python -m contract.engine.torch_server SOCKET`: engines for the tests of another Python, until standard input ends.

Runs in the environment of `testbed.torchenv`, whose numpy is another version: samples and results cross as bytes and as
values of `engine.port`, and encoded rows stay here, known by number.
"""

import itertools
import sys
import threading
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np

from whisper_transcriber import engine
from whisper_transcriber.domain.model import ModelFiles, ModelSpec
from whisper_transcriber.engine.arrange import arrays, dimensions, state
from whisper_transcriber.engine.port import Encoded, Engine

FACTS = ("name", "model", "digest", "multilingual", "lanes", "device", "compute_type")


class Server:
    """What a connection may ask for; one thread serves each."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._engines: dict[int, Engine] = {}
        self._rows: dict[int, Encoded] = {}

    def load(self, folder: str, digest: str, weights: str, spec: str, threads: int) -> tuple[int, dict[str, Any]]:
        made = engine.load(ModelFiles(Path(folder), digest, weights), ModelSpec.model_validate_json(spec), threads)
        number = next(self._numbers)
        self._engines[number] = made
        return number, {fact: getattr(made, fact) for fact in FACTS}

    def encode(self, number: int, batch: list[bytes], full: bool) -> list[tuple[int, int, float]]:
        """(number, states, seconds) of each row."""
        answers = []
        for row in self._engines[number].encode([np.frombuffer(each, np.float32) for each in batch], full=full):
            own = next(self._numbers)
            self._rows[own] = row
            answers.append((own, len(row.states.hidden), row.seconds))
        return answers

    def write(self, converted: str, to: str) -> None:
        import torch

        found = arrays(Path(converted))
        weights = {name: torch.from_numpy(array.copy()) for name, array in state(found).items()}
        torch.save({"dims": dimensions(found), "model_state_dict": weights}, to)

    def forget(self, rows: list[int]) -> None:
        for row in rows:
            del self._rows[row]

    def call(self, number: int, method: str, rows: list[int] | None, *arguments: Any) -> Any:
        given = () if rows is None else ([self._rows[row] for row in rows],)
        return getattr(self._engines[number], method)(*given, *arguments)

    def serve(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    method, *arguments = connection.recv()
                except EOFError:
                    return
                try:
                    connection.send((True, getattr(self, method)(*arguments)))
                except Exception as error:  # the other side raises it
                    connection.send((False, (type(error).__name__, str(error))))


def main() -> None:
    server = Server()
    with Listener(sys.argv[1], "AF_UNIX") as listener:

        def accept() -> None:
            while True:
                threading.Thread(target=server.serve, args=(listener.accept(),), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
