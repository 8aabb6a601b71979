"""The form parser: any cut of the body gives the same parts, and a broken body is said to be broken."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_transcriber.api.multipart import InvalidMultipart, PartReader

TYPE = "multipart/form-data; boundary=XX"
BODY = (
    b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nbase\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa4.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\x00\r\n--X\r\n\xff\r\n"
    b'--XX\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n--XX--\r\n'
)
PARTS = [("model", None, b"base"), ("file", "ä.wav", b"\x00\r\n--X\r\n\xff"), ("empty", None, b"")]


async def stream(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(chunks: list[bytes], content_type: str = TYPE) -> list[Any]:
    return [
        (part.name, part.filename, b"".join([chunk async for chunk in part.chunks()]))
        async for part in PartReader(content_type, stream(chunks)).parts()
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=8))
async def test_any_cut_gives_the_same_parts(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    assert await read([BODY[start:end] for start, end in pairwise(edges)]) == PARTS


async def test_a_part_that_nobody_reads_is_skipped() -> None:
    names = [part.name async for part in PartReader(TYPE, stream([BODY])).parts()]
    assert names == ["model", "file", "empty"]


@pytest.mark.parametrize("end", [0, 1, 30, 70, 150, len(BODY) - 8])
async def test_a_body_that_breaks_off_is_invalid(end: int) -> None:
    with pytest.raises(InvalidMultipart):
        await read([BODY[:end]])


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=XX"])
async def test_another_content_type_is_invalid(content_type: str) -> None:
    with pytest.raises(InvalidMultipart):
        await read([BODY], content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        b"--XX\r\n\r\nno name\r\n--XX--\r\n",
        b"--XX\r\n" + b"A: " + b"b" * 20_000 + b"\r\n\r\n\r\n--XX--\r\n",
        b"--XX\r\n" + b"".join(b"A%d: b\r\n" % number for number in range(40)) + b"\r\n\r\n--XX--\r\n",
    ],
)
async def test_a_broken_body_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidMultipart):
        await read([body])


async def test_a_name_in_another_encoding_is_no_error() -> None:
    body = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="\xe4.wav"\r\n\r\nx\r\n--XX--\r\n'
    assert await read([body]) == [("file", "\ufffd.wav", b"x")]
