"""Properties of the envelope, whatever the bytes, the sizes and the cuts between them."""

import random
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whisper_transcriber.objects.envelope import (
    HEADER,
    TAG,
    Broken,
    Header,
    Opener,
    Sealer,
    new_header,
    rewrapped,
    unpack,
    unwrap,
)
from whisper_transcriber.objects.keyring import Keyring, new_key, parse

BITS = 12
CHUNK = 1 << BITS
RING = Keyring("one", {"one": new_key(), "two": new_key()})
KEY = "jobs/1/audio"
# Around the bounds of chunks is where the mistakes are.
SIZES = st.one_of(
    st.integers(0, 3 * CHUNK),
    st.builds(lambda n, d: max(0, n * CHUNK + d), st.integers(0, 4), st.integers(-2, 2)),
)


def seal(data: bytes, cuts: list[int], key: str = KEY, ring: Keyring = RING) -> bytes:
    header, data_key = new_header(ring, key, BITS)
    sealer = Sealer(header, data_key, key)
    return header.pack() + b"".join([*(sealer.feed(piece) for piece in pieces(data, cuts)), sealer.end()])


def open_(sealed: bytes, cuts: list[int], key: str = KEY, ring: Keyring = RING) -> bytes:
    header = unpack(sealed)
    opener = Opener(header, unwrap(header, ring, key), key)
    return b"".join([*(opener.feed(piece) for piece in pieces(sealed[HEADER:], cuts)), opener.end()])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[one:two] for one, two in pairwise(at)]


def some(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@given(SIZES, st.lists(st.integers(0, 5 * CHUNK)), st.lists(st.integers(0, 5 * CHUNK)))
@example(CHUNK, [], [])
@example(2 * CHUNK, [CHUNK], [CHUNK + TAG])
def test_however_it_is_cut_it_comes_back(size: int, one: list[int], two: list[int]) -> None:
    sealed = seal(some(size), one)
    assert open_(sealed, two) == some(size)
    assert len(sealed) == HEADER + size + TAG * max(1, -(-size // CHUNK))


@given(SIZES, st.data())
def test_one_flipped_bit_anywhere_is_seen(size: int, data: st.DataObject) -> None:
    sealed = bytearray(seal(some(size), []))
    sealed[data.draw(st.integers(0, len(sealed) - 1), "byte")] ^= 1 << data.draw(st.integers(0, 7), "bit")
    with pytest.raises((Broken, KeyError)):
        open_(bytes(sealed), [])


@given(SIZES, st.data())
def test_what_is_cut_off_or_added_is_seen(size: int, data: st.DataObject) -> None:
    sealed = seal(some(size), [])
    for other in (
        sealed[: data.draw(st.integers(0, len(sealed) - 1), "left")],
        sealed + data.draw(st.binary(min_size=1, max_size=CHUNK), "added"),
    ):
        with pytest.raises(Broken):
            open_(other, [])


@given(st.permutations(range(4)))
def test_chunks_in_another_order_are_seen(order: list[int]) -> None:
    sealed, size = seal(some(4 * CHUNK), []), CHUNK + TAG
    chunks = [sealed[HEADER + n * size :][:size] for n in range(4)]
    mixed = sealed[:HEADER] + b"".join(chunks[n] for n in order)
    if order == [0, 1, 2, 3]:
        assert open_(mixed, []) == some(4 * CHUNK)
    else:
        with pytest.raises(Broken):
            open_(mixed, [])


@given(SIZES)
def test_another_object_s_header_chunks_or_place_are_seen(size: int) -> None:
    one, two = seal(some(size), []), seal(some(size), [])
    with pytest.raises(Broken):
        open_(one[:HEADER] + two[HEADER:], [])
    with pytest.raises(Broken):
        open_(one, [], key="jobs/2/audio")


@pytest.mark.parametrize("at", range(HEADER))
def test_no_bit_of_the_header_is_free(at: int) -> None:
    sealed = seal(some(10), [])
    for bit in range(8):
        other = bytearray(sealed)
        other[at] ^= 1 << bit
        with pytest.raises((Broken, KeyError)):
            open_(bytes(other), [])


def test_the_chunk_size_cannot_be_changed() -> None:
    sealed = bytearray(seal(some(10), []))
    sealed[17] = BITS + 1
    with pytest.raises(Broken):
        open_(bytes(sealed), [])


def test_another_wrapping_key_opens_the_same_bytes() -> None:
    sealed = seal(some(3 * CHUNK), [])
    later = rewrapped(unpack(sealed), Keyring("two", RING.keys), KEY)
    assert later.key_id == "two"
    assert open_(later.pack() + sealed[HEADER:], [], ring=Keyring("two", {"two": RING.keys["two"]})) == some(3 * CHUNK)
    with pytest.raises(KeyError):
        open_(sealed, [], ring=Keyring("two", {"two": RING.keys["two"]}))


def test_a_header_is_packed_and_unpacked() -> None:
    header = Header(18, bytes(range(16)), "a" * 64, bytes(12), bytes(48))
    assert unpack(header.pack() + b"more") == header
    assert len(header.pack()) == HEADER == 160


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key"),
        ("\n \n", "no key"),
        ("one: 12", "key 1 is not"),
        ("a" * 64, "key 1 is not"),
        (f"one: {'a' * 64}\nsecond {'a' * 64}", "key 2 is not"),
        (f"one: {'a' * 64}\none: {'b' * 64}", "twice"),
        (f"{'i' * 65}: {'a' * 64}", "key 1 is not"),
        (f"ö: {'a' * 64}", "key 1 is not"),
    ],
)
def test_a_wrong_key_is_said_without_telling_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse(text)
    assert "aaaa" not in str(caught.value)


def test_the_first_key_encrypts() -> None:
    ring = parse(f"\n 2026-11: {'0A' * 32} \r\n\n2026-05:{'0b' * 32}\n")
    assert ring.first == "2026-11"
    assert ring.ids == "2026-11, 2026-05"
    assert ring.keys["2026-05"] == b"\x0b" * 32
    assert "\\x0b" not in repr(ring)
