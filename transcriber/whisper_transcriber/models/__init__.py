"""Find, fetch and prove model files: `resolve`."""

from whisper_transcriber.domain.model import ModelUnavailable
from whisper_transcriber.models.catalogue import CATALOGUE, Known
from whisper_transcriber.models.resolve import resolve

__all__ = ["CATALOGUE", "Known", "ModelUnavailable", "resolve"]
