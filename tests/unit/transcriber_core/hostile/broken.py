"""Good files that break off, and headers that lie."""

import numpy as np

from unit.transcriber_core.hostile.boxes import (
    MKV_HEAD,
    OPUS_SILENCE,
    atom,
    chunk,
    ebml,
    float_wav,
    matroska,
    mov,
    ogg_opus,
    opus_head,
    riff,
    table,
    wav,
    wav_form,
)
from unit.transcriber_core.hostile.kinds import (
    CUT,
    DAMAGED,
    NO_AUDIO,
    NO_CODEC,
    NO_SAMPLE,
    NO_SUCH_RATE,
    YEARS,
    Decoded,
    Hostile,
    speech,
    with_lie,
)
from unit.transcriber_core.hostile.nothing import noise
from unit.transcriber_core.media import RATE, encoded, wav_header

WEBM = ("webm", "libopus")
MP4 = ("mp4", "aac")

CUT_OFF: dict[str, Hostile] = {
    "half a WebM": Hostile(speech(*WEBM, last=0.5, rate=48_000), Decoded(2, 5, CUT)),
    "a WebM without its beginning": Hostile(speech(*WEBM, first=0.5, rate=48_000), NO_AUDIO),
    "the first 100 bytes of a WebM": Hostile(lambda bait: speech(*WEBM, rate=48_000)(bait)[:100], NO_AUDIO),
    "half an Ogg": Hostile(speech("ogg", "libopus", last=0.5, rate=48_000), Decoded(2, 5, CUT)),
    "half a FLAC": Hostile(speech("flac", "flac", last=0.5), Decoded(2, 5, CUT)),
    "half an MP3": Hostile(speech("mp3", "libmp3lame", last=0.5), Decoded(2, 5, CUT)),
    "half a WAV": Hostile(speech("wav", "pcm_s16le", last=0.5), Decoded(2, 5, CUT)),
    "half an AIFF": Hostile(speech("aiff", "pcm_s16be", last=0.5), Decoded(2, 5, CUT)),
    "half an MP4, its index first": Hostile(speech(*MP4, last=0.5, options="movflags=+faststart"), Decoded(2, 5, CUT)),
    "half an MP4, its index last": Hostile(speech(*MP4, last=0.5), NO_AUDIO),
    "half a fragmented MP4": Hostile(
        speech(*MP4, last=0.5, options="movflags=+frag_keyframe+empty_moov+default_base_moof"), Decoded(0, 5, CUT)
    ),
    "the header of a WAV": Hostile(lambda bait: wav(bait.spoken)[:44], NO_SAMPLE),
    "RIFF and WAVE": Hostile(lambda bait: b"RIFF\0\0\0\0WAVE", NO_AUDIO),
    "a FLAC without sound": Hostile(lambda bait: speech("flac", "flac")(bait)[:42], NO_AUDIO),
    "noise behind fLaC": Hostile(lambda bait: b"fLaC" + noise(5000), NO_AUDIO),
    "noise behind OggS": Hostile(lambda bait: b"OggS\0\2" + noise(5000), NO_AUDIO),
    "noise behind EBML": Hostile(lambda bait: MKV_HEAD + noise(5000), NO_AUDIO),
    "noise behind ftyp": Hostile(lambda bait: atom("ftyp", b"isom", bytes(4)) + noise(5000), NO_AUDIO),
    "noise in an MP3": Hostile(
        lambda bait: speech("mp3", "libmp3lame")(bait)[:20_000] + noise(20_000), Decoded(1, 12, DAMAGED)
    ),
    "WebM under the name of a WAV": Hostile(
        lambda bait: wav_header(RATE, 99)[:12] + speech(*WEBM, rate=48_000)(bait), NO_AUDIO
    ),
}


def with_rate_zero(flac: bytes) -> bytes:
    """The 20 bits of STREAMINFO that are the sample rate, zeroed."""
    return flac[:18] + bytes([0, 0, flac[20] & 0x0F]) + flac[21:]


LIES: dict[str, Hostile] = {
    "WAV of no length": Hostile(lambda bait: wav_header(RATE, 0), NO_SAMPLE),
    "WAV of one sample": Hostile(lambda bait: wav(bait.spoken[5000:5001]), Decoded(1 / RATE, 1 / RATE)),
    "WAV at 0 Hz": Hostile(lambda bait: wav_header(0, 32_000) + bytes(32_000), NO_AUDIO),
    "WAV at 1 Hz": Hostile(lambda bait: wav_header(1, 32_000) + bytes(32_000), NO_SUCH_RATE),
    "WAV at 4 GHz": Hostile(lambda bait: wav_header(4_000_000_000, 32_000) + bytes(32_000), NO_AUDIO),
    "WAV at 2 GHz": Hostile(lambda bait: wav_header(2_000_000_000, 32_000) + bytes(32_000), NO_SUCH_RATE),
    "WAV of no channels": Hostile(lambda bait: wav_header(RATE, 32_000, channels=0) + bytes(32_000), NO_SAMPLE),
    "WAV of 65535 channels": Hostile(
        lambda bait: riff(chunk("fmt ", wav_form(channels=65_535)), chunk("data", bytes(400_000))), NO_SAMPLE
    ),
    "WAV of 0 bits": Hostile(lambda bait: wav_header(RATE, 32_000, bits=0) + bytes(32_000), NO_CODEC),
    "WAV of 255 bits": Hostile(lambda bait: wav_header(RATE, 32_000, bits=255) + bytes(32_000), NO_CODEC),
    "WAV in an unknown codec": Hostile(
        lambda bait: riff(chunk("fmt ", wav_form(tag=0x4242)), chunk("data", bytes(32_000))), NO_CODEC
    ),
    "WAV that says it is MP3": Hostile(
        lambda bait: riff(chunk("fmt ", wav_form(tag=0x55)), chunk("data", noise(32_000))), Decoded(0, 0.9, CUT)
    ),
    "WAV with negative sizes": Hostile(
        lambda bait: riff(chunk("LIST", b"", -8), chunk("fmt ", wav_form()), chunk("data", bytes(32_000))), NO_AUDIO
    ),
    "WAV with a negative format": Hostile(
        lambda bait: riff(chunk("fmt ", wav_form(), -1), chunk("data", bytes(32_000))), NO_AUDIO
    ),
    "WAV with a negative length": Hostile(
        lambda bait: riff(chunk("fmt ", wav_form()), chunk("data", wav(bait.spoken)[44:], -1)), Decoded(7.9, 8.1)
    ),
    "RF64": Hostile(speech("wav", "pcm_s16le", options="rf64=always"), Decoded(7.9, 8.1)),
    "RF64 of 2^63 bytes": Hostile(
        lambda bait: (
            b"RF64\xff\xff\xff\xffWAVE"
            + chunk("ds64", b"\xff" * 7 + b"\x7f" + b"\xff" * 7 + b"\x7f" + b"\xff" * 7 + b"\x7f" + bytes(4))
            + chunk("fmt ", wav_form())
            + chunk("data", wav(bait.spoken)[44:], -1)
        ),
        Decoded(7.9, 8.1, YEARS),
    ),
    "WAV of NaN and infinity": Hostile(
        lambda bait: float_wav(np.resize(np.array([np.nan, np.inf, -np.inf, 3e38], np.float32), RATE)),
        Decoded(0.99, 1.01),
    ),
    "WAV of NaN at 44.1 kHz": Hostile(
        lambda bait: float_wav(np.full(44_100, np.nan, np.float32), 44_100), Decoded(0.98, 1.01)
    ),
    "Ogg that says it is years long": Hostile(lambda bait: ogg_opus([OPUS_SILENCE] * 40, 2**61), Decoded(4, 5, YEARS)),
    "Ogg that says it is of negative length": Hostile(lambda bait: ogg_opus([OPUS_SILENCE] * 40, -(2**61)), NO_SAMPLE),
    "Opus that skips everything": Hostile(
        lambda bait: ogg_opus([OPUS_SILENCE] * 8, 8 * 5760, opus_head(skip=65_535)), NO_SAMPLE
    ),
    "Opus of 255 channels": Hostile(
        lambda bait: ogg_opus([OPUS_SILENCE] * 8, 8 * 5760, opus_head(255, family=255) + b"\xff\0" + bytes(range(255))),
        NO_SAMPLE,
    ),
    "FLAC at 0 Hz": Hostile(lambda bait: with_rate_zero(speech("flac", "flac")(bait)), Decoded(7.9, 8.1)),
    "MP3 whose Xing header lies": Hostile(
        with_lie(speech("mp3", "libmp3lame"), b"Info\0\0\0\x0f", b"Info\0\0\0\x01\x7f\xff\xff\xff"),
        Decoded(7, 9, YEARS),
    ),
    "Matroska of 2^56 bytes": Hostile(
        lambda bait: matroska(b"A_PCM/INT/LIT", [wav(bait.spoken)[44:]], segment=2**56 - 2), Decoded(7.9, 8.1)
    ),
    "Matroska with a track of 2^55 bytes": Hostile(
        lambda bait: MKV_HEAD + ebml(0x18538067, ebml(0x1654AE6B, ebml(0xAE, bytes(64), size=2**55))), NO_AUDIO
    ),
    "MP4 of 2^31 samples": Hostile(
        lambda bait: mov(bytes(0), tables=table("stts", 1, 2**31 - 1, 1) + table("stsz", 0, 2**31 - 1)), NO_AUDIO
    ),
    "ASF with an object of 2^55 bytes": Hostile(
        with_lie(
            speech("asf", "wmav2", rate=44_100),
            b"\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65\x68\0\0\0\0\0\0",
            b"\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65\x68\0\0\0\0\0\x80",
        ),
        NO_AUDIO,
    ),
    "MP4 with a box of 2^32 bytes": Hostile(lambda bait: atom("ftyp", b"isom", size=2**32 - 1), NO_AUDIO),
}


RARE: dict[str, Hostile] = {
    "eight channels": Hostile(lambda bait: wav(np.repeat(bait.spoken, 8), channels=8), Decoded(7.9, 8.1)),
    "three channels": Hostile(lambda bait: wav(np.repeat(bait.spoken, 3), channels=3), Decoded(7.9, 8.1)),
    "eight channels of AAC": Hostile(
        lambda bait: encoded("adts", "aac", np.tile(bait.spoken, (8, 1)), 48_000, "octagonal"), Decoded(7.9, 8.1)
    ),
    "192 kHz": Hostile(speech("flac", "flac", rate=192_000), Decoded(7.9, 8.1)),
    "768 kHz": Hostile(lambda bait: wav(np.tile(bait.spoken, 6), rate=768_000), Decoded(0.9, 1.1)),
    "2 kHz": Hostile(lambda bait: wav(bait.spoken[:4000], rate=2_000), Decoded(1.9, 2.1)),
}
