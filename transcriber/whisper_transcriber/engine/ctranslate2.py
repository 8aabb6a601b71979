"""The engine of CTranslate2: int8 on processors, float16 on CUDA. The only module that knows the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ctranslate2
import numpy as np

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.choice import likeliest
from whisper_transcriber.engine.features import HOP, log_mel
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Prompt, Sampling
from whisper_transcriber.engine.rows import Path, RowEngine
from whisper_transcriber.engine.shorter import short_languages
from whisper_transcriber.engine.threads import lanes, processors
from whisper_transcriber.engine.tokens import CONTEXT, FileAlphabet, Tokens

_MEDIAN_FILTER: Final = 7  # frames, as openai-whisper smooths attention before it aligns


class CTranslate2Engine(RowEngine):
    """A Whisper model in CTranslate2's format.

    Encoded rows are kept in host memory, so that rows of any batches can be joined in the next one; rows of different
    lengths go to the library in calls of their own. One instance serves all threads: `lanes` replicas that share the
    weights take calls from one queue of the library's.
    """

    name = "ctranslate2"

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
        self.model = spec.name
        self.digest = files.digest
        self.device = device
        self.compute_type = _compute_type(spec, device)
        self.short_languages = short_languages(spec, files.digest, device)
        self.lanes, each = lanes(threads or processors(), device)
        try:
            self._whisper: Any = ctranslate2.models.Whisper(
                str(files.path),
                device=device,
                compute_type=self.compute_type,
                inter_threads=self.lanes,
                intra_threads=each,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelUnavailable(
                f"The model {spec.name!r} in {files.path} cannot be loaded ({error}): check that it is a Whisper model "
                "converted for CTranslate2, and its compute type."
            ) from error
        self.multilingual: bool = self._whisper.is_multilingual
        self._mels: int = self._whisper.n_mels
        self.tokens = Tokens(FileAlphabet(files.path / "tokenizer.json"), multilingual=self.multilingual)

    def _encode(self, batch: Sequence[Samples], frames: int) -> Sequence[Any]:
        # On a processor one row's matrices just fit its cache: with `base` a row took 1.4 times as long in fours.
        size = 1 if self.device == "cpu" else len(batch)
        states: list[Any] = []
        for start in range(0, len(batch), size):
            features = np.stack([log_mel(samples, self._mels, frames) for samples in batch[start : start + size]])
            states += list(np.asarray(self._whisper.encode(ctranslate2.StorageView.from_array(features), to_cpu=True)))
        return states

    def _detect(self, rows: Sequence[Encoded], among: Sequence[str]) -> list[Language]:
        heard = self._whisper.detect_language(_joined(rows))
        return [likeliest([(token.strip("<|>"), float(p)) for token, p in each], among) for each in heard]

    def _decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        warm = sampling.temperature > 0
        results = self._whisper.generate(
            _joined(rows),
            [self.tokens.prompt(prompt) for prompt in prompts],
            beam_size=1 if warm else sampling.beam_size,
            num_hypotheses=sampling.best_of if warm else 1,
            sampling_topk=0 if warm else 1,  # at the default of 1 the temperature would do nothing
            sampling_temperature=sampling.temperature if warm else 1.0,
            no_repeat_ngram_size=sampling.no_repeat,
            max_length=CONTEXT,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [self._result(result, row, sampling) for result, row in zip(results, rows, strict=True)]

    def _result(self, result: Any, row: Encoded, sampling: Sampling) -> Decoded:
        tokens = result.sequences_ids[0]
        # The library's score is the mean over the tokens; openai-whisper counts the end token as well.
        mean = float(result.scores[0]) * len(tokens) / (len(tokens) + 1)
        return self._decoded(tokens, row, sampling, avg_logprob=mean, no_speech_prob=float(result.no_speech_prob))

    def _align(self, rows: Sequence[Encoded], start: list[int], texts: list[list[int]]) -> list[Path]:
        frames = [max(1, int(row.seconds * SAMPLE_RATE / HOP)) for row in rows]
        found = self._whisper.align(_joined(rows), start, texts, frames, median_filter_width=_MEDIAN_FILTER)
        return [Path(each.alignments, each.text_token_probs) for each in found]


def _joined(rows: Sequence[Encoded]) -> Any:
    return ctranslate2.StorageView.from_array(np.stack([row.states.hidden for row in rows]))


def _compute_type(spec: ModelSpec, device: str) -> str:
    wanted = spec.compute_type
    if wanted == "auto":
        return "float16" if device == "cuda" else "int8"
    supported = ctranslate2.get_supported_compute_types(device)
    if wanted not in supported:
        raise ModelUnavailable(
            f"The model {spec.name!r} asks for computeType {wanted}, which this {device} cannot do: use auto, or one "
            f"of {', '.join(sorted(supported & {'int8', 'float16', 'float32'}))}."
        )
    return wanted
