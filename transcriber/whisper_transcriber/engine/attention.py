"""Where the decoder of a torch model looks in the audio while it says a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
import torch.nn.functional as functional

from whisper_transcriber.engine.alignment import cheapest_path
from whisper_transcriber.engine.rows import Path

_MEDIAN_FILTER: Final = 7  # frames, as openai-whisper smooths attention before it aligns


def attention(model: Any, tokens: Any, states: Any) -> tuple[Any, Any]:
    """What the decoder makes of tokens under states, and how much its alignment heads heed each state meanwhile.

    Returns:
        logits [rows, tokens, vocabulary], and scores before the softmax [rows, heads, tokens, states].

    The library gives scores only with fast attention switched off for all models of the process, so they are computed
    here, from the queries and keys of the heads that count.
    """
    seen: dict[Any, Any] = {}
    heads = [(int(layer), int(head)) for layer, head in model.alignment_heads.indices().T]
    blocks = [model.decoder.blocks[layer].cross_attn for layer in sorted({layer for layer, _ in heads})]
    hooks = [part.register_forward_hook(_keep(seen)) for block in blocks for part in (block.query, block.key)]
    try:
        logits = model.decoder(tokens, states)
    finally:
        for hook in hooks:
            hook.remove()
    scores = []
    for layer, head in heads:
        block = model.decoder.blocks[layer].cross_attn
        width = seen[block.query].shape[-1] // block.n_head
        query, key = (seen[part][..., head * width : (head + 1) * width].float() for part in (block.query, block.key))
        scores.append(query @ key.transpose(-1, -2) * width**-0.5)
    return logits, torch.stack(scores, dim=1)


def token_paths(logits: Any, scores: Any, text: Sequence[int], start: int) -> Path:
    """Where a row's text lies in time; before it stand `start` tokens and <|notimestamps|>, behind it end tokens.

    `logits` are those of text tokens [tokens, words], `scores` those of `attention` [heads, tokens, states] as far as
    there is audio.
    """
    first, last = start, start + len(text)  # the tokens from which those of the text, and the end, are foretold
    chances = logits[first:last].softmax(dim=-1)
    probabilities = chances[torch.arange(len(text)), torch.tensor(text)].tolist()
    weights = scores[:, : last + 2].softmax(dim=-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    weights = _smooth((weights - mean) / deviation.clamp(min=1e-10))
    costs = -weights.mean(dim=0)[first : last + 1]
    return Path(cheapest_path(costs.cpu().numpy()), probabilities)


def _keep(seen: dict[Any, Any]) -> Any:
    def hook(module: Any, _inputs: Any, output: Any) -> None:
        seen[module] = output

    return hook


def _smooth(weights: Any) -> Any:
    """The median of each value and its neighbours in time."""
    side = _MEDIAN_FILTER // 2
    if weights.shape[-1] <= side:
        return weights
    padded = functional.pad(weights, (side, side), mode="reflect")
    return padded.unfold(-1, _MEDIAN_FILTER, 1).sort()[0][..., side]
