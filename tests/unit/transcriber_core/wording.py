"""Word error rates under a named normaliser (whisper_normalizer: OpenAI's own, for English and for the rest)."""

import warnings

import jiwer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its source has escape sequences that Python warns of while it compiles them
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer


def error_rate(pairs: list[tuple[str, str]], language: str = "en") -> float:
    """Wrong words per word of (said, heard) pairs, pooled."""
    plain = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    return float(jiwer.wer([plain(said) for said, _ in pairs], [plain(heard) for _, heard in pairs]))


def normalised(text: str) -> list[str]:
    """The words of an English text as they are compared."""
    return str(EnglishTextNormalizer()(text)).split()
