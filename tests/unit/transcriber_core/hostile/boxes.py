"""The containers' own structures, byte by byte, for files that no encoder would write."""

import io
import struct
from collections.abc import Iterable

import av
import numpy as np

from unit.transcriber_core.media import RATE, Samples

MONO = 1


# RIFF


def chunk(name: str, body: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, whose size may be a lie."""
    return name.encode() + struct.pack("<I", (len(body) if size is None else size) & 0xFFFFFFFF) + body


def wav_form(tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, block: int | None = None) -> bytes:
    """The body of a ``fmt `` chunk."""
    block = channels * bits // 8 if block is None else block
    return struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)


def riff(*chunks: bytes) -> bytes:
    """A WAV of chunks."""
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav(samples: Samples, rate: int = RATE, channels: int = 1) -> bytes:
    """16-bit PCM; the samples of all channels in turn."""
    data = (samples * 32767).astype("<i2").tobytes()
    return riff(chunk("fmt ", wav_form(channels=channels, rate=rate)), chunk("data", data))


def float_wav(samples: Samples, rate: int = RATE) -> bytes:
    """Floats as they are, finite or not."""
    return riff(chunk("fmt ", wav_form(3, rate=rate, bits=32)), chunk("data", samples.astype("<f4").tobytes()))


# MP4 and QuickTime


def atom(name: str, *bodies: bytes, size: int | None = None) -> bytes:
    """A box, whose size may be a lie."""
    body = b"".join(bodies)
    return struct.pack(">I", len(body) + 8 if size is None else size) + name.encode("latin-1") + body


def table(name: str, *fields: int) -> bytes:
    """A full box of 32-bit fields."""
    return atom(name, bytes(4), struct.pack(f">{len(fields)}I", *fields))


def mov(reference: bytes, *, tables: bytes | None = None, offset: int = 1_000_000) -> bytes:
    """One PCM track whose samples, by its ``dref``, lie at `offset` of what `reference` names."""
    seconds = 10
    count = seconds * RATE
    tables = tables or b"".join(
        (table("stts", 1, count, 1), table("stsc", 1, 1, count, 1), table("stsz", 2, count), table("stco", 1, offset))
    )
    sound = struct.pack(">6xHHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, RATE << 16)
    stsd = atom("stsd", bytes(4), struct.pack(">I", 1), atom("sowt", sound))
    stbl = atom("stbl", stsd, tables)
    dref = atom("dref", bytes(4), struct.pack(">I", 1), reference)
    minf = atom("minf", atom("smhd", bytes(8)), atom("dinf", dref), stbl)
    handler = atom("hdlr", bytes(4), b"mhlrsoun", bytes(13))
    mdhd = table("mdhd", 0, 0, RATE, count, 0)
    trak = atom("trak", table("tkhd", 0, 0, 1, 0, count, *[0] * 15), atom("mdia", mdhd, handler, minf))
    movie = atom("moov", table("mvhd", 0, 0, RATE, count, *[0] * 20), trak)
    return atom("ftyp", b"qt  ", bytes(4), b"qt  ") + movie + atom("mdat", bytes(64))


def alias(path: str) -> bytes:
    """A Macintosh alias record of an absolute path, as old QuickTime files refer to others."""
    name = path.rpartition("/")[2].encode()[:63]
    record = bytes(10) + bytes([4]) + b"Disk".ljust(27, b"\0") + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(36)
    where = path.encode() + b"\0" * (len(path) % 2)
    record += struct.pack(">HH", 2, len(path)) + where + struct.pack(">HH", 0xFFFF, 0)
    return bytes(4) + record


# Matroska


def ebml(name: int, *bodies: bytes, size: int | None = None) -> bytes:
    """An element with an eight-byte size, which may be a lie."""
    body = b"".join(bodies)
    name_bytes = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return name_bytes + (0x01 << 56 | (len(body) if size is None else size)).to_bytes(8, "big") + body


def number(name: int, value: int) -> bytes:
    """An element that holds an unsigned integer."""
    return ebml(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


MKV_HEAD = ebml(0x1A45DFA3, number(0x4286, 1), number(0x42F7, 1), ebml(0x4282, b"matroska"), number(0x4287, 4))


def matroska(
    codec: bytes, blocks: Iterable[bytes], *track: bytes, rate: int = RATE, segment: int | None = None
) -> bytes:
    """One audio track of simple blocks, all at time 0; more elements of its track entry may be given."""
    audio = ebml(0xE1, ebml(0xB5, struct.pack(">d", rate)), number(0x9F, MONO), number(0x6264, 16))
    entry = ebml(0xAE, number(0xD7, 1), number(0x73C5, 1), number(0x83, 2), ebml(0x86, codec), audio, *track)
    simple = b"".join(ebml(0xA3, b"\x81\0\0\x80" + block) for block in blocks)
    parts = ebml(0x1549A966, number(0x2AD7B1, 1_000_000)) + ebml(0x1654AE6B, entry)
    return MKV_HEAD + ebml(0x18538067, parts, ebml(0x1F43B675, number(0xE7, 0), simple), size=segment)


# Ogg


def _crc_table() -> list[int]:
    made = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
        made.append(crc)
    return made


_CRC = _crc_table()


def ogg_page(packets: list[bytes], granule: int, serial: int, sequence: int, flags: int = 0) -> bytes:
    """A page of whole packets with a right checksum; granule -1 means none ends here."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    page = b"OggS\0" + bytes([flags]) + struct.pack("<qIII", granule, serial, sequence, 0)
    page += bytes([len(lacing)]) + lacing + b"".join(packets)
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
    return page[:22] + struct.pack("<I", crc) + page[26:]


def opus_head(channels: int = 1, skip: int = 312, family: int = 0) -> bytes:
    """The identification packet of Opus in Ogg."""
    return b"OpusHead\x01" + bytes([channels]) + struct.pack("<HIh", skip, 48_000, 0) + bytes([family])


OPUS_TAGS = b"OpusTags" + struct.pack("<I", 4) + b"test" + struct.pack("<I", 0)
OPUS_SILENCE = b"\xfb\x06"
"""One packet of 120 ms (six frames of 20 ms, each of no bytes): two bytes."""


def ogg_opus(packets: Iterable[bytes], granule: int, head: bytes | None = None) -> bytes:
    """Opus packets in pages of a stream whose last page has `granule`."""
    pages = [ogg_page([head or opus_head()], 0, 1, 0, 2), ogg_page([OPUS_TAGS], 0, 1, 1)]
    rest = list(packets)
    for start in range(0, len(rest), 200):
        last = start + 200 >= len(rest)
        at = granule if last else -1
        pages.append(ogg_page(rest[start : start + 200], at, 1, len(pages), 4 if last else 0))
    return b"".join(pages)


# MP3


def id3(*frames: bytes, size: int | None = None, flags: int = 0) -> bytes:
    """An ID3v2.4 tag, whose size may be a lie."""
    body = b"".join(frames)
    return b"ID3\x04\0" + bytes([flags]) + _syncsafe(len(body) if size is None else size) + body


def apic(image: bytes, flags: int = 0, before: bytes = b"") -> bytes:
    """The frame of an attached picture."""
    body = before + b"\0image/png\0\x03\0" + image
    return b"APIC" + _syncsafe(len(body)) + struct.pack(">H", flags) + body


def _syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def picture(codec: str) -> bytes:
    """A real image."""
    out = io.BytesIO()
    with av.open(out, "w", format="image2pipe") as container:
        stream = container.add_stream(codec, rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = {"png": "rgb24", "bmp": "bgr24"}.get(codec, "yuvj420p")
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
