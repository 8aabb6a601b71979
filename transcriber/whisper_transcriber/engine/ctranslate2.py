"""The engine of CTranslate2: int8 on processors, float16 on CUDA. The only module that knows the library."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.alignment import timed_words
from whisper_transcriber.engine.choice import likeliest
from whisper_transcriber.engine.features import FRAMES, HOP, log_mel
from whisper_transcriber.engine.groups import in_groups
from whisper_transcriber.engine.port import WINDOW_SECONDS, Decoded, Encoded, Language, Phrase, Prompt, Sampling, Timed
from whisper_transcriber.engine.shorter import LONGEST_SHORT, SURE_ON_SHORT, input_frames, short_languages
from whisper_transcriber.engine.threads import lanes, processors
from whisper_transcriber.engine.tokens import CONTEXT, Tokens

_MEDIAN_FILTER: Final = 7  # frames, as openai-whisper smooths attention before it aligns


@dataclass(frozen=True, eq=False)
class _States:
    """What the encoder made of a window, shape [frames / 2, width], and the window itself; `full`: of all 30 s."""

    hidden: NDArray[np.float32]
    audio: Samples
    full: bool


class CTranslate2Engine:
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
        self.longest = LONGEST_SHORT if self.short_languages else WINDOW_SECONDS
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
        self._tokens = Tokens(files.path, multilingual=self.multilingual)

    def encode_key(self, samples: int) -> Hashable:
        return self._frames(samples)

    def encode(self, batch: Sequence[Samples]) -> list[Encoded]:
        lengths = [self._frames(len(samples)) for samples in batch]
        return in_groups(lengths, lambda group: self._encode([batch[i] for i in group], lengths[group[0]]))

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        if not self.multilingual:
            return [Language("en", 1.0) for _ in rows]
        return in_groups(_lengths(rows), lambda group: self._detect([rows[i] for i in group], among))

    def decode_key(self, prompt: Prompt) -> Hashable:
        # The library wants <|startoftranscript|> at the same place in all prompts of a batch, and goes by the first one
        # in whether there are timestamps.
        return len(self._tokens.prompt(prompt)), prompt.timed

    def decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        fit = [self._fit(row, prompt) for row, prompt in zip(rows, prompts, strict=True)]
        return in_groups(
            _lengths(fit), lambda group: self._decode([fit[i] for i in group], [prompts[i] for i in group], sampling)
        )

    def _frames(self, samples: int) -> int:
        return input_frames(samples, short=bool(self.short_languages))

    def _fit(self, row: Encoded, prompt: Prompt) -> Encoded:
        """The row, encoded again with the full input where its language is not to be decoded from a short one."""
        states: _States = row.states
        if states.full or prompt.language in self.short_languages:
            return row
        return self._encode([states.audio], FRAMES)[0]

    def _encode(self, batch: Sequence[Samples], frames: int) -> list[Encoded]:
        features = np.stack([log_mel(samples, self._mels, frames) for samples in batch])
        hidden = np.asarray(self._whisper.encode(ctranslate2.StorageView.from_array(features), to_cpu=True))
        return [
            Encoded(_States(row, samples, frames == FRAMES), len(samples) / SAMPLE_RATE)
            for row, samples in zip(hidden, batch, strict=True)
        ]

    def _detect(self, rows: Sequence[Encoded], among: Sequence[str]) -> list[Language]:
        heard = self._whisper.detect_language(_joined(rows))
        found = [likeliest([(token.strip("<|>"), float(p)) for token, p in each], among) for each in heard]
        return [self._made_sure(language, row, among) for language, row in zip(found, rows, strict=True)]

    def _made_sure(self, language: Language, row: Encoded, among: Sequence[str]) -> Language:
        """The language, heard again with the full input where a short one left it open."""
        states: _States = row.states
        if states.full or language.probability >= SURE_ON_SHORT:
            return language
        return self._detect(self._encode([states.audio], FRAMES), among)[0]

    def _decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        warm = sampling.temperature > 0
        results = self._whisper.generate(
            _joined(rows),
            [self._tokens.prompt(prompt) for prompt in prompts],
            beam_size=1 if warm else sampling.beam_size,
            num_hypotheses=sampling.best_of if warm else 1,
            sampling_topk=0 if warm else 1,  # at the default of 1 the temperature would do nothing
            sampling_temperature=sampling.temperature if warm else 1.0,
            max_length=CONTEXT,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [
            self._decoded(result, row, prompt, sampling)
            for result, row, prompt in zip(results, rows, prompts, strict=True)
        ]

    def align_key(self, prompt: Prompt) -> Hashable:
        return tuple(self._tokens.start(prompt))

    def align(
        self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
    ) -> list[list[list[Timed]]]:
        words = [
            [self._tokens.words(phrase, prompt.language) for phrase in row]
            for row, prompt in zip(phrases, prompts, strict=True)
        ]
        texts = [[token for phrase in row for token in phrase.tokens if token < self._tokens.eot] for row in phrases]
        sounding = [index for index, text in enumerate(texts) if text]
        start = self._tokens.start(prompts[0]) if prompts else []
        found = in_groups(
            _lengths([rows[index] for index in sounding]),
            lambda group: self._align([rows[sounding[i]] for i in group], start, [texts[sounding[i]] for i in group]),
        )
        timed: list[list[Timed]] = [[] for _ in rows]
        for index, result in zip(sounding, found, strict=True):
            flat = [word for phrase in words[index] for word in phrase]
            timed[index] = timed_words(flat, result.alignments, result.text_token_probs)
        return [_dealt(row, [len(phrase) for phrase in counts]) for row, counts in zip(timed, words, strict=True)]

    def _align(self, rows: Sequence[Encoded], start: list[int], texts: list[list[int]]) -> list[Any]:
        frames = [max(1, int(row.seconds * SAMPLE_RATE / HOP)) for row in rows]
        return list(self._whisper.align(_joined(rows), start, texts, frames, median_filter_width=_MEDIAN_FILTER))

    def _decoded(self, result: Any, row: Encoded, prompt: Prompt, sampling: Sampling) -> Decoded:
        tokens = result.sequences_ids[0]
        phrases, resume = self._tokens.phrases(tokens, row.seconds)
        if not prompt.timed and self._tokens.full(prompt, tokens):
            phrases, resume = (), 0.0
        return Decoded(
            phrases=phrases,
            text=self._tokens.text(tokens),
            # The library's score is the mean over the tokens; openai-whisper counts the end token as well.
            avg_logprob=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),
            no_speech_prob=float(result.no_speech_prob),
            temperature=sampling.temperature,
            resume=resume,
        )


def _lengths(rows: Sequence[Encoded]) -> list[int]:
    return [len(row.states.hidden) for row in rows]


def _joined(rows: Sequence[Encoded]) -> Any:
    return ctranslate2.StorageView.from_array(np.stack([row.states.hidden for row in rows]))


def _dealt(words: Sequence[Timed], counts: Sequence[int]) -> list[list[Timed]]:
    """The words of a row, dealt to its phrases again."""
    left = iter(words)
    return [[next(left) for _ in range(count)] for count in counts]


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
