"""multipart/form-data as a stream of parts: nothing is held but the piece that just arrived."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

_HEADERS = 16 * 1024


class InvalidMultipart(Exception):
    """The body is not what its content type says."""


@dataclass
class Part:
    """One part: its name, the file name if it is a file, and its bytes, which are read once, before the next part."""

    name: str
    filename: str | None
    _reader: "PartReader"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive."""
        while (event := await self._reader.next_event()) is not _END:
            assert isinstance(event, bytes)
            yield event


class _End:
    """After the last byte of a part."""


_END = _End()


@dataclass
class _Events:
    """What the push parser said and nobody has read yet: headers, bytes, ends."""

    waiting: "deque[dict[str, bytes] | bytes | _End]" = field(default_factory=deque)
    finished: bool = False
    _headers: dict[str, bytes] = field(default_factory=dict)
    _name: bytes = b""
    _value: bytes = b""

    def parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": lambda: self.waiting.append(self._headers),
                "on_part_data": lambda data, start, end: self.waiting.append(bytes(data[start:end])),
                "on_part_end": lambda: self.waiting.append(_END),
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._headers, self._name, self._value = {}, b"", b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._bound()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bound()

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""
        if len(self._headers) > 16:
            raise InvalidMultipart("a part has too many headers")

    def _bound(self) -> None:
        if len(self._name) + len(self._value) > _HEADERS:
            raise InvalidMultipart("a part's header is too long")

    def _end(self) -> None:
        self.finished = True


class PartReader:
    """The parts of a body, in order."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """Raises InvalidMultipart if the content type is not multipart/form-data with a boundary."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidMultipart("the body must be multipart/form-data with a boundary")
        self._body = body
        self._events = _Events()
        self._open = False
        self._parser = self._events.parser(options[b"boundary"])

    async def parts(self) -> AsyncIterator[Part]:
        """Each part, once the one before is read; what its reader left is skipped. Raises InvalidMultipart."""
        while await self._more():
            headers = await self.next_event()
            assert isinstance(headers, dict)
            yield self._part(headers)
            while self._open:
                await self.next_event()

    async def next_event(self) -> "dict[str, bytes] | bytes | _End":
        """What comes next in the body. Raises InvalidMultipart if it breaks off."""
        if not await self._more():
            raise InvalidMultipart("the body ends in the middle of a part")
        event = self._events.waiting.popleft()
        self._open = event is not _END
        return event

    async def _more(self) -> bool:
        """Whether something is waiting, reading on until there is or the body ends."""
        while not self._events.waiting:
            chunk = await anext(self._body, None)
            if chunk is None:
                if not self._events.finished:
                    raise InvalidMultipart("the body ends before its last boundary")
                return False
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidMultipart(str(error)) from None
        return True

    def _part(self, headers: dict[str, bytes]) -> Part:
        _, options = parse_options_header(headers.get("content-disposition", b""))
        if b"name" not in options:
            raise InvalidMultipart("a part has no name")
        name, filename = options[b"name"], options.get(b"filename")
        return Part(_text(name), None if filename is None else _text(filename), self)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
