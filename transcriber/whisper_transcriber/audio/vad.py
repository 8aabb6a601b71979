"""How likely each 32 ms of audio is speech: the Silero voice detector, run as a stream on one thread."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.domain.audio import Samples
from whisper_transcriber.domain.window import FRAME

_CONTEXT: Final = 64  # samples of the frame before, which the model wants to see again

# The detector was trained on speech of the usual loudness: at -40 dB it heard the beginning of every sixth sentence
# more than 0.2 s late. So it is shown quiet audio louder. Noise may be: it took none for speech at any loudness.
_PEAK: Final = 0.3
_MOST_GAIN: Final = 30.0
_FORGET: Final = 0.9  # of the loudest so far, each time that the detector is called: about 1 dB a second


class SpeechDetector:
    """Probabilities of speech for consecutive audio; carries the model's memory from call to call.

    The model is the one in the faster-whisper package (Silero v6). One detector belongs to one file. How loud the file
    is does not matter: quiet audio is shown to the model amplified.
    """

    def __init__(self) -> None:
        self._session = _session()
        self._memory = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._tail = np.zeros(_CONTEXT, np.float32)
        self._peak = 0.0

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """The probability in each frame of `samples`, whose length is a multiple of `FRAME`; shape [frames]."""
        frames = self._amplified(samples).reshape(-1, FRAME)
        before = np.vstack((self._tail[None, :], frames[:-1, -_CONTEXT:]))
        probabilities, self._memory, self._cell = self._session.run(
            None, {"input": np.hstack((before, frames)), "h": self._memory, "c": self._cell}
        )
        self._tail = frames[-1, -_CONTEXT:].copy()
        return np.asarray(probabilities, np.float32).reshape(-1)

    def _amplified(self, samples: Samples) -> Samples:
        self._peak = max(float(np.abs(samples).max(initial=0.0)), self._peak * _FORGET)
        gain = min(max(_PEAK / max(self._peak, 1e-9), 1.0), _MOST_GAIN)
        return np.asarray(samples * np.float32(gain), np.float32)


@cache
def _session() -> Any:
    """The model, loaded once: it holds no state of its own, so detectors share it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it reads this once, when it is imported
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1  # the processors belong to the engine
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(_model_file()), options, providers=["CPUExecutionProvider"])


def _model_file() -> Path:
    """The detector's weights, found without importing the package that carries them (it imports a lot)."""
    spec = importlib.util.find_spec("faster_whisper")
    for folder in spec.submodule_search_locations or () if spec else ():
        for file in sorted(Path(folder, "assets").glob("silero_vad_*.onnx")):
            return file
    raise RuntimeError("The voice detector's weights are missing: install the faster-whisper package.")
