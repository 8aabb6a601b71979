"""An engine in memory that says what a test tells it to; it passes the same contract as the real ones."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from whisper_transcriber.domain.audio import SAMPLE_RATE, Samples
from whisper_transcriber.engine.port import Decoded, Encoded, Language, Phrase, Prompt, Sampling, Timed

TONE = 0.25
"""The first sample of what a pump shows an engine to see if it is sound."""

Script = Callable[[float, Prompt, Sampling], Decoded]
"""The first sample of a row (its name), its prompt and how tokens are chosen → what is decoded."""


def said(
    *texts: str, seconds: float = 1.0, logprob: float = -0.2, no_speech: float = 0.0, resume: float | None = None
) -> Decoded:
    """A decoding of phrases that share the time evenly."""
    each = seconds / max(1, len(texts))
    phrases = tuple(Phrase(i * each, (i + 1) * each, (i,), f" {text}") for i, text in enumerate(texts))
    return Decoded(phrases, " ".join(texts), logprob, no_speech, 0.0, resume)


@dataclass
class ScriptedEngine:
    """Rows are known by their first sample. `calls` is what was asked, in order: (method, rows)."""

    script: Script = lambda name, prompt, sampling: said(f"row {name:g} at {sampling.temperature:g}")
    language: Language = field(default_factory=lambda: Language("en", 0.99))
    multilingual: bool = True
    device: str = "cpu"
    lanes: int = 1
    name: str = "scripted"
    model: str = "none"
    digest: str = "sha256:" + "0" * 64
    calls: list[tuple[str, list[float]]] = field(default_factory=list)

    def longest(self, language: str | None) -> float:
        return 30.0

    def encode_key(self, samples: int) -> Hashable:
        return None

    def encode(self, batch: Sequence[Samples], *, full: bool = False) -> list[Encoded]:
        return self._called(
            "encode in full" if full else "encode",
            [Encoded(float(samples[0]), len(samples) / SAMPLE_RATE) for samples in batch],
        )

    def detect(self, rows: Sequence[Encoded], among: Sequence[str] = ()) -> list[Language]:
        self._called("detect", rows)
        found = self.language if not among or self.language.code in among else Language(among[0], 0.9)
        return [found if self.multilingual else Language("en", 1.0) for _ in rows]

    def decode_key(self, prompt: Prompt) -> Hashable:
        return len(prompt.text or "")

    def decode(self, rows: Sequence[Encoded], prompts: Sequence[Prompt], sampling: Sampling) -> list[Decoded]:
        self._called("decode", rows)
        results = [self.script(row.states, prompt, sampling) for row, prompt in zip(rows, prompts, strict=True)]
        return [replace(result, temperature=sampling.temperature) for result in results]

    def align_key(self, prompt: Prompt) -> Hashable:
        return (prompt.language, prompt.task)

    def align(
        self, rows: Sequence[Encoded], prompts: Sequence[Prompt], phrases: Sequence[Sequence[Phrase]]
    ) -> list[list[list[Timed]]]:
        self._called("align", rows)
        return [
            [[Timed(phrase.text, phrase.start, phrase.end, 0.9, len(phrase.tokens))] for phrase in row]
            for row in phrases
        ]

    def batches(self, method: str) -> list[list[float]]:
        """The rows of each call of a method."""
        return [rows for called, rows in self.calls if called == method]

    def _called(self, method: str, rows: Sequence[Encoded]) -> list[Encoded]:
        self.calls.append((method, [row.states for row in rows]))
        return list(rows)
