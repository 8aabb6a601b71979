"""The engine of openai-whisper on torch: float32 on processors, float16 on CUDA. The only module that knows either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as functional
from whisper.decoding import DecodingOptions, DecodingTask, LogitFilter
from whisper.tokenizer import get_tokenizer

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.languages import LANGUAGES
from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.attention import attention, token_paths
from whisper_transcriber.engine.choice import ending_again, likeliest
from whisper_transcriber.engine.cross_attention import shared_by
from whisper_transcriber.engine.features import HOP, log_mel
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Prompt, Sampling
from whisper_transcriber.engine.rows import Path, RowEngine
from whisper_transcriber.engine.shorter import short_languages
from whisper_transcriber.engine.threads import lanes, processors
from whisper_transcriber.engine.tokens import Tokens
from whisper_transcriber.engine.torch_model import copies, loaded

_MOST_MEMORY: Final = {"cpu": 256 << 20, "cuda": 2 << 30}
"""Bytes that one call of the decoder may hold for the encoder's states, their keys and values among them."""


class OpenAIWhisperEngine(RowEngine):
    """A Whisper model in openai-whisper's code.

    While it decodes, the library hangs its cache on the model's own modules. So each of the `lanes` has modules of its
    own, which share the weights, and a call takes a lane for itself. Encoded rows stay on the device.
    """

    name = "openai-whisper"

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        self.model = spec.name
        self.digest = files.digest
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.compute_type = _compute_type(spec, self.device)
        self.short_languages = short_languages(spec, files.digest, self.device)
        self.lanes, each = lanes(threads or processors(), self.device)
        torch.set_num_threads(each)  # of one call; all models of a process have the same
        model = loaded(files, spec, self.device, self.compute_type)
        self._dimensions: Any = model.dims
        self._type = torch.float16 if self.compute_type == "float16" else torch.float32
        self._free: SimpleQueue[Any] = SimpleQueue()
        for lane in copies(model, self.lanes):
            self._free.put(lane)
        self.multilingual: bool = model.is_multilingual
        alphabet = _Alphabet(get_tokenizer(model.is_multilingual, num_languages=model.num_languages).encoding)
        self.tokens = Tokens(alphabet, multilingual=self.multilingual)
        self._sot = alphabet.id("<|startoftranscript|>")
        self._no_times = alphabet.id("<|notimestamps|>")
        found = {code: alphabet.id(f"<|{code}|>") for code in LANGUAGES} if self.multilingual else {}
        self._languages = {code: token for code, token in found.items() if token is not None}

    def _encode(self, batch: Sequence[Samples], frames: int) -> Sequence[Any]:
        features = torch.from_numpy(np.stack([log_mel(each, self._dimensions.n_mels, frames) for each in batch]))
        with self._lane() as model:
            encoder = model.encoder
            # The library's own way through these layers insists on 30 s.
            hidden = functional.gelu(encoder.conv1(features.to(self.device, self._type)))
            hidden = functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
            hidden = (hidden + encoder.positional_embedding[: hidden.shape[1]]).to(self._type)
            for block in encoder.blocks:
                hidden = block(hidden)
            return list(encoder.ln_post(hidden))

    def _detect(self, rows: Sequence[Encoded], among: Sequence[str]) -> list[Language]:
        codes, ids = list(self._languages), list(self._languages.values())
        with self._lane() as model:
            start = torch.full((len(rows), 1), self._sot, device=self.device)
            scores = model.decoder(start, _joined(rows))[:, 0, ids].softmax(dim=-1)
        return [likeliest(list(zip(codes, row.tolist(), strict=True)), among) for row in scores]

    def _decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        warm = sampling.temperature > 0
        options = DecodingOptions(
            temperature=sampling.temperature,
            beam_size=None if warm or sampling.beam_size == 1 else sampling.beam_size,
            best_of=sampling.best_of if warm else None,
            fp16=self._type == torch.float16,
        )
        tokens = [self.tokens.prompt(prompt) for prompt in prompts]
        size = self._rows_in_a_call(rows[0].states.hidden, options.beam_size or options.best_of or 1)
        results: list[Any] = []
        for at in range(0, len(rows), size):
            with self._lane() as model:
                task = _Task(model, options, tokens[at : at + size], sampling.no_repeat)
                results += task.run(_joined(rows[at : at + size]))
        return [
            self._decoded(
                each.tokens,
                row,
                sampling,
                avg_logprob=float(each.avg_logprob),
                no_speech_prob=each.no_speech_prob,
            )
            for each, row in zip(results, rows, strict=True)
        ]

    def _rows_in_a_call(self, hidden: Any, beams: int) -> int:
        """How many such rows are decoded at once: each has keys and values in each layer, and states for each beam."""
        each = hidden.numel() * hidden.element_size() * (2 * self._dimensions.n_text_layer + beams)
        return max(1, _MOST_MEMORY[self.device] // int(each))

    def _align(self, rows: Sequence[Encoded], start: list[int], texts: list[list[int]]) -> list[Path]:
        lead, end = [*start, self._no_times], self.tokens.eot
        longest = max(len(text) for text in texts)
        # What fills up the shorter rows stands behind their ends, where nothing of theirs looks.
        tokens = [[*lead, *text, *[end] * (longest - len(text) + 1)] for text in texts]
        with self._lane() as model:
            logits, weights = attention(model, torch.tensor(tokens, device=self.device), _joined(rows))
            frames = [max(1, int(row.seconds * SAMPLE_RATE / HOP) // 2) for row in rows]
            return [
                token_paths(logits[index, :, :end], weights[index, :, :, : frames[index]], text, len(start))
                for index, text in enumerate(texts)
            ]

    @contextmanager
    def _lane(self) -> Iterator[Any]:
        model = self._free.get()
        try:
            with torch.inference_mode():
                yield model
        finally:
            self._free.put(model)


class _Task(DecodingTask):  # type: ignore[misc]
    """One batch of encoded rows through the library's decoding, each with a prompt of its own, all of one length.

    The library starts every row from the same tokens, and forgets to repeat the states for the beams of more than one.
    """

    def __init__(self, model: Any, options: Any, prompts: Sequence[Sequence[int]], no_repeat: int) -> None:
        self._prompts = prompts
        super().__init__(model, options)
        if no_repeat:
            self.logit_filters.insert(0, _NoRepeat(no_repeat, len(prompts[0])))

    def run(self, mel: Any) -> Any:
        with shared_by(self.model, self.n_group):
            return super().run(mel)

    def _get_initial_tokens(self) -> tuple[int, ...]:
        return tuple(self._prompts[0])

    def _get_audio_features(self, mel: Any) -> Any:
        # The states of a lone row serve all its beams as they are.
        return mel if len(mel) == 1 else mel.repeat_interleave(self.n_group, dim=0)

    def _detect_language(self, audio_features: Any, tokens: Any) -> tuple[list[None], None]:
        tokens[:] = torch.tensor(self._prompts)
        return [None] * len(self._prompts), None


class _NoRepeat(LogitFilter):  # type: ignore[misc]
    """Forbids each token that would end a run of `size` tokens a second time; what stands before `start` is no text."""

    def __init__(self, size: int, start: int) -> None:
        self._size = size
        self._start = start

    def apply(self, logits: Any, tokens: Any) -> None:
        for row, said in enumerate(tokens[:, self._start :].tolist()):
            logits[row, ending_again(said, self._size)] = -torch.inf


class _Alphabet:
    """The tokens as the library's tokenizer has them."""

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def id(self, token: str) -> int | None:
        found = self._encoding._special_tokens.get(token)
        return None if found is None else int(found)

    def encode(self, text: str) -> list[int]:
        return list(self._encoding.encode_ordinary(text))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._encoding.decode(tokens))

    def spelt(self, token: int) -> bytes:
        return bytes(self._encoding.decode_single_token_bytes(token))


def _joined(rows: Sequence[Encoded]) -> Any:
    return torch.stack([row.states.hidden for row in rows])


def _compute_type(spec: ModelSpec, device: str) -> str:
    able = ("float16", "float32") if device == "cuda" else ("float32",)
    if spec.compute_type == "auto":
        return able[0]
    if spec.compute_type not in able:
        raise ModelUnavailable(
            f"The model {spec.name!r} asks for computeType {spec.compute_type}, which the engine openai-whisper cannot "
            f"do on this {device}: use auto, or {' or '.join(able)}."
        )
    return spec.compute_type
