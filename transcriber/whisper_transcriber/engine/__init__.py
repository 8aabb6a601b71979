"""Inference engines behind one port. `load` makes the one that a model asks for."""

from whisper_transcriber.domain.model import ModelFiles, ModelSpec, ModelUnavailable
from whisper_transcriber.engine.port import Engine
from whisper_transcriber.engine.threads import processors

__all__ = ["Engine", "load", "processors"]


def load(files: ModelFiles, spec: ModelSpec, threads: int = 0) -> Engine:
    """Load a model into memory, to compute on `threads` processors; 0 for all that this process may use.

    Blocks for as long as reading the weights takes. Raises ModelUnavailable where they cannot be loaded as asked.
    """
    try:
        if spec.engine == "openai-whisper":
            from whisper_transcriber.engine.openai_whisper import OpenAIWhisperEngine

            return OpenAIWhisperEngine(files, spec, threads)
        from whisper_transcriber.engine.ctranslate2 import CTranslate2Engine

        return CTranslate2Engine(files, spec, threads)
    except ImportError as error:
        raise ModelUnavailable(
            f"The model {spec.name!r} asks for the engine {spec.engine}, which this image does not have ({error})."
        ) from error
