"""What is not a person speaking: music of people (Debian's package of music on hold, CC BY-SA 3.0), beeps, and a
synthetic voice that reads any text for as long as wanted without a pause.

Synthetic speech shows where words are lost or doubled, for every word of it is known; it judges no recogniser.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Final

import av
import numpy as np

from assets import debian
from assets.cache import cache_root, made_once, say
from assets.speech import SAMPLE_RATE, Clip, decode_g722

_MUSIC: Final = "asterisk-moh-opsound-g722"
_BEEPS: Final = "asterisk-core-sounds-en-g722"
_BEEP_NAMES: Final = ("beep", "beeperr", "ascending-2tone", "descending-2tone", "confbridge-join", "confbridge-leave")


@functools.cache
def music() -> dict[str, Path]:
    """Five pieces of music by name, minutes each: 16 kHz, 16-bit, mono WAV."""
    folder = made_once(cache_root() / "sounds" / "music", lambda to: _decoded(_MUSIC, "*", to))
    return {file.stem: file for file in sorted(folder.glob("*.wav"))}


@functools.cache
def beeps() -> dict[str, Path]:
    """The tones that telephones play, by name: 16 kHz, 16-bit, mono WAV."""
    folder = made_once(cache_root() / "sounds" / "beeps", lambda to: _decoded(_BEEPS, "*", to, _BEEP_NAMES))
    return {file.stem: file for file in sorted(folder.glob("*.wav"))}


def spoken(text: str, *, words_per_minute: int = 150, voice: str = "en-us") -> Clip:
    """A text read by espeak-ng, without a pause where the text has no punctuation."""
    key = hashlib.sha256(f"{words_per_minute} {voice} {text}".encode()).hexdigest()[:16]
    folder = made_once(cache_root() / "sounds" / "spoken" / key, lambda to: _speak(text, words_per_minute, voice, to))
    with wave.open(str(folder / "spoken.wav"), "rb") as file:
        seconds = file.getnframes() / SAMPLE_RATE
    return Clip(folder / "spoken.wav", text, voice.partition("-")[0], seconds, f"spoken-{key}")


def _decoded(package: str, pattern: str, folder: Path, names: tuple[str, ...] | None = None) -> None:
    say(f"sounds: fetching {package} from Debian")
    root = debian.unpack([package], folder)
    for recording in sorted(root.rglob(f"{pattern}.g722")):
        if names is None or recording.stem in names:
            decode_g722(recording, folder / f"{recording.stem}.wav")
    shutil.rmtree(root)


def _speak(text: str, words_per_minute: int, voice: str, folder: Path) -> None:
    raw = folder / "raw.wav"
    program, environment = _espeak()
    command = [program, "-v", voice, "-s", str(words_per_minute), "-w", str(raw), "--stdin"]
    subprocess.run(command, input=text, text=True, check=True, env={**os.environ, **environment})
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(raw)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in [*frames, *resampler.resample(None)]])
    with wave.open(str(folder / "spoken.wav"), "wb") as target:
        target.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        target.writeframes(samples.astype("<i2").tobytes())
    raw.unlink()


@functools.cache
def _espeak() -> tuple[str, dict[str, str]]:
    """The program and what its environment must say: the machine's own, or Debian's unpacked into the cache."""
    if own := shutil.which("espeak-ng"):
        return own, {}
    folder = made_once(cache_root() / "sounds" / "espeak-ng", _unpack_espeak)
    (data,) = folder.glob("root/usr/lib/*/espeak-ng-data")
    libraries = [data.parent, data.parent / "pulseaudio"]
    return str(folder / "root/usr/bin/espeak-ng"), {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "ESPEAK_DATA_PATH": str(data.parent),
    }


def _unpack_espeak(folder: Path) -> None:
    say("sounds: fetching espeak-ng from Debian")
    debian.unpack_program("espeak-ng", folder)
