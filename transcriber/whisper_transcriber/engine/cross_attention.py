"""Attention to the audio in which all beams of a row share its keys and values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class SharedCrossAttention(torch.nn.Module):  # type: ignore[misc]
    """In the place of the library's cross-attention, with its weights.

    The library has keys and values of the audio for each beam, and lays them out anew at each token. Here a row has
    them once, as they are multiplied, and its beams are so many queries to them.
    """

    def __init__(self, library: Any) -> None:
        super().__init__()
        self.beams = 1
        self.n_head: int = library.n_head
        self.query, self.key, self.value, self.out = library.query, library.key, library.value, library.out

    def forward(self, x: Any, xa: Any, mask: None = None, kv_cache: dict[Any, Any] | None = None) -> tuple[Any, None]:
        """As the library's: `x` [rows * beams, tokens, width], and the states `xa` of each, or of a lone row once."""
        if kv_cache is not None and self.key in kv_cache:
            keys, values = kv_cache[self.key], kv_cache[self.value]
        else:
            xa = xa[:: self.beams]
            keys = self._by_head(self.key(xa)).transpose(-1, -2).contiguous()  # [rows, heads, width, states]
            values = self._by_head(self.value(xa)).contiguous()  # [rows, heads, states, width]
            if kv_cache is not None:  # the library hangs its own hooks on its own attention only
                kv_cache[self.key], kv_cache[self.value] = keys, values
        rows, count, width = len(keys), x.shape[1], x.shape[2]
        queries = self._by_head(self.query(x).reshape(rows, -1, width))
        scores = (queries * queries.shape[-1] ** -0.5) @ keys
        heard = scores.float().softmax(dim=-1).to(values.dtype) @ values
        return self.out(heard.transpose(1, 2).reshape(-1, count, width)), None

    def _by_head(self, states: Any) -> Any:
        """[rows, states, all heads] as [rows, heads, states, one head]."""
        return states.unflatten(-1, (self.n_head, -1)).transpose(1, 2)


@contextmanager
def shared_by(model: Any, beams: int) -> Iterator[None]:
    """In the block, so many rows of `x` that follow each other are the beams of one row."""
    blocks = [block.cross_attn for block in model.decoder.blocks]
    for block in blocks:
        block.beams = beams
    try:
        yield
    finally:
        for block in blocks:
            block.beams = 1
