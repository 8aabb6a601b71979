"""A model in CTranslate2's form, laid out anew as openai-whisper names its parts: no value changes.

A `model.bin` holds named arrays. openai-whisper has the same ones under other names, but for query, key and value,
which CTranslate2 joins into one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_OLDEST: Final = 6  # the binary version from which on every array says how many bytes it has
Arrays = Mapping[str, NDArray[Any]]


class NotThisForm(ValueError):
    """The file is not a Whisper model with its weights in float16 or float32; the message says what it is."""


def arrays(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays in a `model.bin` by name, as views of the mapped file. Raises NotThisForm."""
    reader = _Reader(np.memmap(file, np.uint8, mode="r"))
    try:
        version, spec, _revision = reader.number("I"), reader.text(), reader.number("I")
        if spec != "WhisperSpec" or version < _OLDEST:
            raise NotThisForm(f"it holds a {spec} of binary version {version}")
        found = {}
        for _ in range(reader.number("I")):
            name = reader.text()
            found[name] = reader.array()
        for _ in range(reader.number("I")):
            alias, name = reader.text(), reader.text()
            found[alias] = found[name]
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise error if isinstance(error, NotThisForm) else NotThisForm("it is damaged") from error
    return found


def dimensions(of: Arrays) -> dict[str, int]:
    """The sizes of a model, under the names that openai-whisper gives them. Raises NotThisForm."""
    try:
        audio, text = of["encoder/position_encodings/encodings"], of["decoder/position_encodings/encodings"]
        return {
            "n_mels": int(of["encoder/conv1/weight"].shape[1]),
            "n_audio_ctx": int(audio.shape[0]),
            "n_audio_state": int(audio.shape[1]),
            "n_audio_head": int(of["encoder/num_heads"]),
            "n_audio_layer": _layers(of, "encoder"),
            "n_vocab": int(of["decoder/embeddings/weight"].shape[0]),
            "n_text_ctx": int(text.shape[0]),
            "n_text_state": int(text.shape[1]),
            "n_text_head": int(of["decoder/num_heads"]),
            "n_text_layer": _layers(of, "decoder"),
        }
    except KeyError as error:
        raise NotThisForm(f"it lacks {error.args[0]}") from error


def state(of: Arrays) -> dict[str, NDArray[Any]]:
    """The weights of a model under openai-whisper's names. Raises NotThisForm."""
    try:
        laid_out = dict(_state(of))
    except KeyError as error:
        raise NotThisForm(f"it lacks {error.args[0]}") from error
    if any(array.dtype not in (np.float16, np.float32) for array in laid_out.values()):
        raise NotThisForm("its weights are quantised")
    return laid_out


def _state(of: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    for side in ("encoder", "decoder"):
        for layer in range(_layers(of, side)):
            yield from _layer(of, f"{side}/layer_{layer}", f"{side}.blocks.{layer}", crossed=side == "decoder")
    for name in ("conv1", "conv2"):
        yield from _linear(of, f"encoder/{name}", f"encoder.{name}")
    yield from _norm(of, "encoder/layer_norm", "encoder.ln_post")
    yield from _norm(of, "decoder/layer_norm", "decoder.ln")
    yield "encoder.positional_embedding", of["encoder/position_encodings/encodings"]
    yield "decoder.positional_embedding", of["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", of["decoder/embeddings/weight"]


def _layer(of: Arrays, old: str, new: str, *, crossed: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from _joined(of, f"{old}/self_attention/linear_0", f"{new}.attn", ("query", "key", "value"))
    yield from _linear(of, f"{old}/self_attention/linear_1", f"{new}.attn.out")
    yield from _norm(of, f"{old}/self_attention/layer_norm", f"{new}.attn_ln")
    if crossed:
        yield from _linear(of, f"{old}/attention/linear_0", f"{new}.cross_attn.query")
        yield from _joined(of, f"{old}/attention/linear_1", f"{new}.cross_attn", ("key", "value"))
        yield from _linear(of, f"{old}/attention/linear_2", f"{new}.cross_attn.out")
        yield from _norm(of, f"{old}/attention/layer_norm", f"{new}.cross_attn_ln")
    yield from _linear(of, f"{old}/ffn/linear_0", f"{new}.mlp.0")
    yield from _linear(of, f"{old}/ffn/linear_1", f"{new}.mlp.2")
    yield from _norm(of, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")


def _linear(of: Arrays, old: str, new: str) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{new}.weight", of[f"{old}/weight"]
    yield f"{new}.bias", of[f"{old}/bias"]


def _norm(of: Arrays, old: str, new: str) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{new}.weight", of[f"{old}/gamma"]
    yield f"{new}.bias", of[f"{old}/beta"]


def _joined(of: Arrays, old: str, new: str, names: tuple[str, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Layers that lie one above the other in one array. openai-whisper's key has no bias."""
    weights, biases = (np.split(of[f"{old}/{part}"], len(names)) for part in ("weight", "bias"))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        yield f"{new}.{name}.weight", weight
        if name != "key":
            yield f"{new}.{name}.bias", bias
        elif bias.any():
            raise NotThisForm("the keys of its attention have a bias")


def _layers(of: Arrays, side: str) -> int:
    return len({match[0] for name in of if (match := re.match(rf"{side}/layer_\d+(?=/)", name))})


class _Reader:
    """Reads a mapped file from its start on; numbers are little-endian."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack(f"<{kind}", self._bytes(struct.calcsize(kind)).tobytes())
        return int(value)

    def text(self) -> str:
        return self._bytes(self.number("H")).tobytes().rstrip(b"\0").decode()

    def array(self) -> NDArray[Any]:
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = _TYPES[self.number("B")]
        return self._bytes(self.number("I")).view(kind).reshape(shape)

    def _bytes(self, count: int) -> NDArray[np.uint8]:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise NotThisForm("it ends too early")
        self._at += count
        return part
