"""From any media file to the windows that are transcribed: `decode`, then `windows`."""

from whisper_transcriber.audio.process import Decoding, Limits, decode, duration_hint
from whisper_transcriber.audio.windows import windows

__all__ = ["Decoding", "Limits", "decode", "duration_hint", "windows"]
