"""How a kind is watched: one list, then the changes since, taken up again where a connection ended."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

import orjson

from whisper_operator.cluster.port import Changed, Kind, Listed, Manifest, News, Reached, Streaming, version_of
from whisper_operator.errors import Transient

# The API server ends a stream after this long, in seconds, and says meanwhile about once a minute how far it is.
LIFE = 300
SILENCE = 150
GONE = 410

Pages = Callable[[Mapping[str, str]], AsyncIterator[Manifest]]
Stream = Callable[[Mapping[str, str]], AsyncIterator[bytes]]


async def watch(kind: Kind, label: str, pages: Pages, stream: Stream) -> AsyncGenerator[News]:
    """`Cluster.watch` over `pages` (the pages of a list) and `stream`.

    `stream` gives the bytes of a watch, and b"" as soon as it is open; it ends when the watch does.

    Raises: Transient also where history is lost, so that the caller begins again.
    """
    objects: list[Manifest] = []
    version = 0
    async for page in pages({"labelSelector": label}):
        version = version or int(page["metadata"]["resourceVersion"])
        objects += [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in page["items"]]
    yield Listed(objects, version)
    del objects
    while True:
        query = {"labelSelector": label, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(LIFE)}
        heard = False
        async for line in lines(stream({**query, "resourceVersion": str(version)})):
            if not line:
                yield Streaming(True)
                continue
            heard = True
            for news in told(kind, orjson.loads(line)):
                version = news.version if isinstance(news, Reached) else version
                yield news
        yield Streaming(False)
        if not heard:  # not even how far it is: to ask again at once could go on for ever
            raise Transient(f"watch {kind.name}: the stream ended without a word")


def told(kind: Kind, event: Mapping[str, Any]) -> list[News]:
    """What one event of a watch says. Raises: Transient for an error in the stream."""
    found = event["object"]
    match event["type"]:
        case "ADDED" | "MODIFIED" | "DELETED":
            return [Changed(found, event["type"] == "DELETED"), Reached(version_of(found))]
        case "BOOKMARK":
            return [Reached(version_of(found))]
    lost = "history is lost" if found.get("code") == GONE else "an error in the stream"
    raise Transient(f"watch {kind.name}: {lost}: {found.get('message')}")


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream of bytes, however long; a last one without its end is dropped. For b"" comes b""."""
    rest: list[bytes] = []
    async for chunk in chunks:
        if not chunk:
            yield chunk
            continue
        *whole, last = chunk.split(b"\n")
        for line in whole:
            found = b"".join([*rest, line])
            rest.clear()
            if found:
                yield found
        rest.append(last)
