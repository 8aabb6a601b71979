"""How a watch is taken up again: while no stream is open, nobody takes what was told for all there is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.mirror import Shelf
from whisper_operator.cluster.port import POD, Changed, Listed, News, Reached, Streaming
from whisper_operator.cluster.watching import lines, watch
from whisper_operator.errors import Transient

Manifest = dict[str, Any]


def pod(version: int) -> Manifest:
    meta = {"name": "a", "namespace": "ns", "resourceVersion": str(version), "labels": {LABEL_TRANSCRIBER: "main"}}
    return {"kind": "Pod", "metadata": meta}


def said(kind: str, found: Manifest) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


async def pages(_: Mapping[str, str]) -> AsyncIterator[Manifest]:
    yield {"metadata": {"resourceVersion": "5"}, "items": [pod(4)]}


class Server:
    """Streams, each of some chunks, that open when they are let."""

    def __init__(self, *streams: list[bytes]) -> None:
        self.streams, self.asked = [*streams], list[str]()
        self.called, self.open = ([asyncio.Event() for _ in streams] for _ in range(2))

    async def stream(self, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        count = len(self.asked)
        self.asked.append(query["resourceVersion"])
        self.called[count].set()
        await self.open[count].wait()
        yield b""
        for chunk in self.streams[count]:
            yield chunk


async def test_a_shelf_is_not_live_from_the_end_of_a_stream_until_its_successor_is_open() -> None:
    server, shelf = Server([said("MODIFIED", pod(6))], [said("MODIFIED", pod(8))]), Shelf()
    async with asyncio.timeout(5), aclosing(watch(POD, "", pages, server.stream)) as news:
        shelf.hear(await anext(news))
        for called, opened, version in zip(server.called, server.open, (6, 8), strict=True):
            coming = asyncio.create_task(anext(news))
            await called.wait()
            assert not shelf.live, "nobody tells what happens now"
            opened.set()
            told = [await coming, *[await anext(news) for _ in range(3)]]
            assert told == [Streaming(True), Changed(pod(version), False), Reached(version), Streaming(False)]
            live = []
            for each in told:
                shelf.hear(each)
                live.append(shelf.live)
            assert live == [True, True, True, False]
    assert server.asked == ["5", "6"], "it goes on from what it has heard"


async def test_a_stream_that_ends_without_a_word_is_a_broken_watch() -> None:
    server = Server([])
    server.open[0].set()
    told = list[News]()
    with pytest.raises(Transient, match="without a word"):
        async for news in watch(POD, "", pages, server.stream):
            told.append(news)
    assert told == [Listed([{"apiVersion": "v1", **pod(4)}], 5), Streaming(True), Streaming(False)]


async def test_lines_are_put_together_across_chunks() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"", b"a", b"b\nc", b"\n\nd\ne"):
            yield chunk

    assert [line async for line in lines(chunks())] == [b"", b"ab", b"c", b"d"]
