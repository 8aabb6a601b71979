"""Little that becomes much: hours in kilobytes, tables of billions, boxes in boxes."""

import zlib

import numpy as np

from unit.transcriber_core.hostile.boxes import (
    OPUS_SILENCE,
    apic,
    atom,
    chunk,
    ebml,
    id3,
    matroska,
    mov,
    ogg_opus,
    opus_head,
    picture,
    riff,
    table,
    wav_form,
)
from unit.transcriber_core.hostile.kinds import (
    NO_AUDIO,
    NO_SAMPLE,
    NO_STREAM,
    TOO_LONG,
    TOO_MUCH_MEMORY,
    Bait,
    Decoded,
    Hostile,
    speech,
)
from unit.transcriber_core.media import RATE, encoded


def zipped_track(bait: Bait) -> bytes:
    """A track whose blocks are compressed by zlib: five minutes in 9 kB."""
    compression = ebml(0x6D80, ebml(0x6240, ebml(0x5034, ebml(0x4254, b"\0"))))
    block = zlib.compress(bytes(9_600_000), 9)
    return matroska(b"A_PCM/INT/LIT", [block], compression)


def zipped_index(bait: Bait) -> bytes:
    """A QuickTime index that is compressed, and says that it unpacks to 2 GiB."""
    body = zlib.compress(bytes(10_000_000), 9)
    movie = atom("cmov", atom("dcom", b"zlib"), atom("cmvd", (2**31 - 1).to_bytes(4, "big"), body))
    return atom("ftyp", b"qt  ", bytes(4)) + atom("moov", movie)


def nested(bait: Bait) -> bytes:
    """Fifty thousand boxes, each in the next."""
    depth = 50_000
    heads = (atom("moov" if level == 0 else "trak", size=(depth - level) * 8)[:8] for level in range(depth))
    return atom("ftyp", b"isom", bytes(4)) + b"".join(heads)


BOMBS: dict[str, Hostile] = {
    "ten minutes of FLAC in 100 kB": Hostile(
        lambda bait: encoded("flac", "flac", np.zeros(600 * RATE, np.float32)), TOO_LONG
    ),
    "Ogg that promises ten hours": Hostile(
        lambda bait: ogg_opus([OPUS_SILENCE] * 100, 36_000 * 48_000), Decoded(11, 13, "ends early")
    ),
    "an hour of Opus in 450 kB": Hostile(
        lambda bait: matroska(b"A_OPUS", [OPUS_SILENCE] * 30_000, ebml(0x63A2, opus_head()), rate=48_000), TOO_LONG
    ),
    "Matroska, blocks that unpack a thousandfold": Hostile(zipped_track, TOO_LONG),
    "QuickTime, an index that unpacks to 2 GiB": Hostile(zipped_index, TOO_MUCH_MEMORY),
    "MP4, a table of 2^28 entries": Hostile(
        lambda bait: mov(b"", tables=table("stts", 2**28, 1, 1) + table("stsz", 0, 2**28)), TOO_MUCH_MEMORY
    ),
    "MP4, one entry of 2^31 samples": Hostile(
        lambda bait: mov(
            b"",
            tables=table("stts", 1, 2**31 - 1, 2**31 - 1)
            + table("stsc", 1, 1, 2**31 - 1, 1)
            + table("stsz", 1, 2**31 - 1)
            + table("stco", 1, 0),
        ),
        NO_SAMPLE,
    ),
    "MP4, boxes in boxes": Hostile(nested, NO_STREAM),
    "WAV of 300000 chunks": Hostile(
        lambda bait: riff(chunk("JUNK", b"") * 300_000, chunk("fmt ", wav_form()), chunk("data", bytes(32_000))),
        Decoded(0.99, 1.01),
    ),
    "ID3 of 256 MB": Hostile(lambda bait: id3(bytes(1000), size=2**28 - 1), NO_AUDIO),
    "ID3 whose picture unpacks to 256 MB": Hostile(
        lambda bait: (
            id3(apic(zlib.compress(bytes(10_000_000), 9), 0x0009, b"\x7f\x7f\x7f\x7f"))
            + speech("mp3", "libmp3lame")(bait)
        ),
        Decoded(7.9, 8.2),
    ),
    "ID3 with a picture": Hostile(
        lambda bait: id3(apic(picture("png"))) + speech("mp3", "libmp3lame")(bait), Decoded(7.9, 8.2)
    ),
}
