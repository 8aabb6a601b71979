"""From any media file to the windows that are transcribed: `decode`, then `windows`.

A recording with a person on each channel: `channels(path)` says how many, `decode(path, channel=k)` gives the k-th.
"""

from whisper_transcriber.audio.process import Decoding, Limits, channels, decode, duration_hint
from whisper_transcriber.audio.windows import windows

__all__ = ["Decoding", "Limits", "channels", "decode", "duration_hint", "windows"]
