"""The first look at a batch's file: every line is understood before any becomes a job."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final
from uuid import UUID

from whisper_transcriber.deps import Catalogue, Deps
from whisper_transcriber.domain.batches import CHUNK, PROBLEMS, Batch, Endpoint, Line, Problem, chunk_key
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.request.batch_lines import LINE_BYTES, line_of, lines, problem_of
from whisper_transcriber.request.errors import ApiError
from whisper_transcriber.request.files import read
from whisper_transcriber.worker.batch_files import once

_GONE: Final = Problem("file_not_found", "The input file was deleted.", None, "input_file_id")


async def check(deps: Deps, batch: Batch) -> tuple[int, Sequence[Problem]]:
    """How many lines the file has, and what is wrong with them; what is right is kept, understood."""
    file = await deps.store.files.get(batch.input_file)
    if file is None or file.status != "completed":
        return 0, [_GONE]
    looked = _Look(deps, batch)
    try:
        async with aclosing(read(deps, file)) as chunks:
            async for number, said in lines(chunks):
                if await looked.at(number, said):
                    break
            else:
                await looked.flush()
    except Missing:
        return 0, [_GONE]
    if not looked.total and not looked.problems:
        looked.problems.append(Problem("empty_file", "The file has no lines."))
    return looked.total, looked.problems


class _Look:
    """What is known of a file while it is read."""

    def __init__(self, deps: Deps, batch: Batch) -> None:
        self.total = 0
        self.problems: list[Problem] = []
        self._deps = deps
        self._batch = batch
        self._waiting: list[tuple[int, bytes]] = []
        self._ids: set[str] = set()
        self._uploads: dict[UUID, Problem | None] = {}
        self._chunks = 0

    async def at(self, number: int, said: bytes | None) -> bool:
        """Take a line; whether that is enough."""
        self.total += 1
        limit = self._deps.settings.batch_max_lines
        if self.total > limit:
            self.problems.append(Problem("too_many_lines", f"The file has more than {limit} lines.", number))
            return True
        if said is None:
            self.problems.append(Problem("line_too_long", f"The line has more than {LINE_BYTES} bytes.", number))
        else:
            self._waiting.append((number, said))
            if len(self._waiting) == CHUNK:
                await self.flush()
        return len(self.problems) >= PROBLEMS

    async def flush(self) -> None:
        """Understand the lines that wait and keep them together."""
        waiting, self._waiting = self._waiting, []
        # In a thread: other things wait meanwhile.
        found = await asyncio.to_thread(_understood, waiting, self._batch.endpoint, self._deps.models)
        kept = list[Line]()
        for number, line in found:
            problem = line if isinstance(line, Problem) else await self._wrong(number, line)
            if problem is not None:
                self.problems.append(problem)
            elif isinstance(line, Line):
                kept.append(line)
        if kept and not self.problems:
            body = json.dumps([line.to_dict() for line in kept], ensure_ascii=False).encode()
            await self._deps.objects.put(chunk_key(self._batch.id, self._chunks), once(body))
        self._chunks += 1

    async def _wrong(self, number: int, line: Line) -> Problem | None:
        if line.custom_id in self._ids:
            return Problem("duplicate_custom_id", "An earlier line has this custom_id.", number, "custom_id")
        self._ids.add(line.custom_id)
        if line.upload is None:
            return None
        if line.upload not in self._uploads:
            self._uploads[line.upload] = await self._usable(line.upload)
        problem = self._uploads[line.upload]
        return None if problem is None else replace(problem, line=number)

    async def _usable(self, upload: UUID) -> Problem | None:
        """What is wrong with a file of audio; one that is right stays as long as the batch may take."""
        file = await self._deps.store.files.get(upload)
        if file is None or file.tenant != self._batch.tenant:
            return Problem("file_not_found", "There is no such file.", None, "body.file")
        if file.status != "completed":
            return Problem("upload_not_completed", f"The upload is {file.status}.", None, "body.file")
        if file.expires_at < self._batch.expires_at:
            await self._deps.store.files.save(replace(file, expires_at=self._batch.expires_at))
        return None


def _understood(
    waiting: Sequence[tuple[int, bytes]], endpoint: Endpoint, models: Catalogue
) -> Sequence[tuple[int, Line | Problem]]:
    found: list[tuple[int, Line | Problem]] = []
    for number, said in waiting:
        try:
            found.append((number, line_of(said, endpoint, models)))
        except ApiError as error:
            found.append((number, problem_of(error, number)))
    return found
