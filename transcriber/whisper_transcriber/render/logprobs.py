"""Tokens with their log probabilities, in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from whisper_transcriber.domain.transcript import Segment, Token


def logprobs(segments: Iterable[Segment], *, beginning: bool = True) -> list[dict[str, Any]]:
    """The tokens of segments in order; their bytes together are the text.

    A token that holds only a part of a character is shown with U+FFFD, its bytes as they are. At the `beginning` of a
    text the space before its first word is left out, as the text leaves it out.
    """
    tokens = [token for segment in segments for word in segment.words for token in word.tokens]
    if beginning and tokens:
        bare = bytes.fromhex(tokens[0].utf8).lstrip()
        tokens[:1] = [Token(bare.hex(), tokens[0].logprob)] if bare else []
    return [_shown(token) for token in tokens]


def _shown(token: Token) -> dict[str, Any]:
    utf8 = bytes.fromhex(token.utf8)
    return {"token": utf8.decode("utf-8", "replace"), "bytes": list(utf8), "logprob": token.logprob}
