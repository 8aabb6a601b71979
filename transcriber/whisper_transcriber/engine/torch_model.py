"""Weights into torch: from openai-whisper's own checkpoints, or from a model in CTranslate2's form."""

from __future__ import annotations

import copy
import json
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import whisper
from whisper.model import ModelDimensions, Whisper

from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.arrange import NotThisForm, arrays, dimensions, state
from whisper_transcriber.engine.cross_attention import SharedCrossAttention


def loaded(files: ModelFiles, spec: ModelSpec, device: str, compute_type: str) -> Any:
    """The model on its device, to compute in `compute_type`. Raises ModelUnavailable."""
    file = files.path / files.weights
    try:
        model = whisper.load_model(str(file), device="cpu") if file.suffix == ".pt" else _rearranged(file)
    except (NotThisForm, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise ModelUnavailable(
            f"The model {spec.name!r} in {file} cannot be loaded ({_first_line(error)}): check that it is a checkpoint "
            "of openai-whisper, or a Whisper model converted for CTranslate2 in float16 or float32."
        ) from error
    _find_alignment_heads(model, files)
    if compute_type == "float16":
        model.half()
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.float()  # the library computes these in float32
    for block in model.decoder.blocks:
        block.cross_attn = SharedCrossAttention(block.cross_attn)
    return model.eval().requires_grad_(False).to(device)


def copies(model: Any, count: int) -> list[Any]:
    """So many models that have modules of their own and share all weights."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return [model, *(copy.deepcopy(model, dict(shared)) for _ in range(count - 1))]


def _rearranged(file: Path) -> Any:
    found = arrays(file)
    weights = {name: torch.from_numpy(array.copy()) for name, array in state(found).items()}
    model = Whisper(ModelDimensions(**dimensions(found)))
    model.load_state_dict(weights)
    return model


def _find_alignment_heads(model: Any, files: ModelFiles) -> None:
    """Set the heads that follow the audio: those known of OpenAI's files, or those that `config.json` names.

    Without either they stay as the library sets them, all heads of the upper layers, and words are placed less well.
    """
    digest = files.digest.removeprefix("sha256:")
    known = [name for name, url in whisper._MODELS.items() if digest in url.split("/")]
    if known:
        model.set_alignment_heads(whisper._ALIGNMENT_HEADS[known[0]])
        return
    mask = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError):
        for layer, head in json.loads((files.path / "config.json").read_text())["alignment_heads"]:
            mask[layer, head] = True
    if mask.any():
        model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
