"""The format of an encrypted object: a header with the object's own key, wrapped, then its bytes in sealed chunks.

AES-256-GCM throughout. Each object has a random key of its own, so the nonces of its chunks can be their numbers. The
last chunk is marked as such in its nonce: one that is missing, added, or at another place does not open. The object's
key in the store is associated data: what is moved under another one does not open either. No bytes are the secret of
this file: it needs only the keyring.

    0    16  magic                        36   64  id of the wrapping key, filled up with zeros
    16    1  version                      100  12  nonce of the wrapping
    17    1  log2 of the chunk size       112  48  the object's key, wrapped
    18    2  zeros                        160  …   chunks of that size, each with a tag of 16 bytes
    20   16  id of the object, random
"""

import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from whisper_transcriber.objects.keyring import ID_BYTES, Keyring, new_key
from whisper_transcriber.objects.magic import MAGIC

_FORM = struct.Struct(f">16sBBH16s{ID_BYTES}s12s48s")
_FIXED = 36  # what a rewrapped header has in common with the first one
HEADER: Final = _FORM.size
TAG: Final = 16
CHUNK_BITS: Final = 18  # 256 KiB: large enough for a tag to cost nothing, small enough to be held by many requests
_VERSION = 1


class Broken(Exception):
    """The bytes are not what was sealed under this key."""


@dataclass(frozen=True)
class Header:
    """An object's header. `bits`: log2 of the size of a chunk before it is sealed."""

    bits: int
    object_id: bytes
    key_id: str
    nonce: bytes
    wrapped: bytes

    @property
    def chunk(self) -> int:
        """Bytes of a chunk before it is sealed."""
        return 1 << self.bits

    def pack(self) -> bytes:
        """Its bytes."""
        return _FORM.pack(MAGIC, _VERSION, self.bits, 0, self.object_id, self.key_id.encode(), self.nonce, self.wrapped)

    def fixed(self) -> bytes:
        """What stays the same when the object's key is wrapped anew."""
        return self.pack()[:_FIXED]


def unpack(data: bytes) -> Header:
    """The header in the first bytes of an object. Raises Broken."""
    try:
        magic, version, bits, zeros, object_id, key_id, nonce, wrapped = _FORM.unpack(data[:HEADER])
        name = key_id.rstrip(b"\0").decode("ascii")
    except (struct.error, UnicodeDecodeError):
        raise Broken("its header is cut off or damaged") from None
    if magic != MAGIC or version != _VERSION or zeros or not 12 <= bits <= 24:
        raise Broken("its header is damaged, or of a newer version")
    return Header(bits, object_id, name, nonce, wrapped)


def new_header(ring: Keyring, key: str, bits: int = CHUNK_BITS) -> tuple[Header, bytes]:
    """A header for a new object at `key`, and the object's own key."""
    data_key = new_key()
    return _wrap(Header(bits, secrets.token_bytes(16), ring.first, b"", b""), ring, key, data_key), data_key


def rewrapped(header: Header, ring: Keyring, key: str) -> Header:
    """The same with the object's key wrapped by the ring's first. Raises KeyError (the key's id is unknown), Broken."""
    return _wrap(header, ring, key, unwrap(header, ring, key))


def unwrap(header: Header, ring: Keyring, key: str) -> bytes:
    """The object's own key. Raises KeyError (the key's id is unknown), Broken."""
    try:
        return AESGCM(ring.keys[header.key_id]).decrypt(header.nonce, header.wrapped, _about(header, key))
    except InvalidTag:
        raise Broken(f"its key does not open with the key {header.key_id!r}") from None


def _wrap(header: Header, ring: Keyring, key: str, data_key: bytes) -> Header:
    made = replace(header, key_id=ring.first, nonce=secrets.token_bytes(12))
    wrapped = AESGCM(ring.keys[ring.first]).encrypt(made.nonce, data_key, _about(made, key))
    return replace(made, wrapped=wrapped)


def _about(header: Header, key: str) -> bytes:
    return header.fixed() + header.key_id.encode().ljust(ID_BYTES, b"\0") + key.encode()


class _Chunks:
    """Cuts a stream into pieces of `size` bytes, each told whether it is the last: one is held back until it is known.

    An empty stream has one piece, which is empty.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that are whole now and not the last."""
        self._kept += data
        whole = max(0, len(self._kept) - 1) // self._size * self._size
        if whole:
            view = bytes(self._kept[:whole])
            del self._kept[:whole]
            for at in range(0, whole, self._size):
                yield view[at : at + self._size]

    def end(self) -> bytes:
        """The last piece."""
        return bytes(self._kept)


class Sealer:
    """Plain bytes in, sealed chunks out."""

    def __init__(self, header: Header, data_key: bytes, key: str) -> None:
        self._aead = AESGCM(data_key)
        self._about = header.fixed() + key.encode()
        self._chunks = _Chunks(header.chunk)
        self._number = 0

    def feed(self, data: bytes) -> bytes:
        """What is sealed now."""
        return b"".join([self._seal(piece, last=False) for piece in self._chunks.feed(data)])

    def end(self) -> bytes:
        """The last chunk."""
        return self._seal(self._chunks.end(), last=True)

    def _seal(self, piece: bytes, *, last: bool) -> bytes:
        sealed = self._aead.encrypt(nonce(self._number, last=last), piece, self._about)
        self._number += 1
        return sealed


class Opener:
    """Sealed chunks in, from number `first` on, plain bytes out. Each method raises Broken."""

    def __init__(self, header: Header, data_key: bytes, key: str, first: int = 0) -> None:
        self._aead = AESGCM(data_key)
        self._about = header.fixed() + key.encode()
        self._chunks = _Chunks(header.chunk + TAG)
        self._number = first

    def feed(self, data: bytes) -> bytes:
        """What could be opened by now."""
        return b"".join([self._open(piece, last=False) for piece in self._chunks.feed(data)])

    def end(self) -> bytes:
        """The last chunk; without it the object is not whole."""
        return self._open(self._chunks.end(), last=True)

    def _open(self, piece: bytes, *, last: bool) -> bytes:
        try:
            plain = self._aead.decrypt(nonce(self._number, last=last), piece, self._about)
        except (InvalidTag, ValueError):
            raise Broken(f"chunk {self._number} is not what was written, or the end is missing") from None
        self._number += 1
        return plain


def nonce(number: int, *, last: bool) -> bytes:
    """The nonce of a chunk: its number, and whether it is the last one."""
    return number.to_bytes(11, "big") + bytes([last])
