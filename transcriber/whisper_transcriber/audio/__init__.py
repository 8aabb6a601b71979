"""From any media file to the windows that are transcribed: `decode`, then `windows`; long files by way of `parts`.

A recording with a person on each channel: `headers(path)` says how many there are, `decode(path, channels=n)` keeps
them apart, and so do `windows` and `parts`. Two people are told apart so without guessing, and even where the one
channel is the other inverted, so that a mix-down would be silence.
"""

from whisper_transcriber.audio.parts import Kept, Pcm, beginning, blocks_of, parts, pcm_bytes
from whisper_transcriber.audio.process import Decoding, Headers, Limits, decode, headers
from whisper_transcriber.audio.windows import windows

__all__ = [
    "Decoding",
    "Headers",
    "Kept",
    "Limits",
    "Pcm",
    "beginning",
    "blocks_of",
    "decode",
    "headers",
    "parts",
    "pcm_bytes",
    "windows",
]
