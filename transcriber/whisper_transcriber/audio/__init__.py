"""From any media file to the windows that are transcribed: `decode`, then `windows`; long files by way of `parts`.

A recording with a person on each channel: `channels(path)` says how many, `decode(path, channel=k)` gives the k-th.
"""

from whisper_transcriber.audio.parts import Kept, beginning, blocks_of, parts, pcm_bytes
from whisper_transcriber.audio.process import Decoding, Limits, channels, decode, duration_hint
from whisper_transcriber.audio.windows import windows

__all__ = [
    "Decoding",
    "Kept",
    "Limits",
    "beginning",
    "blocks_of",
    "channels",
    "decode",
    "duration_hint",
    "parts",
    "pcm_bytes",
    "windows",
]
