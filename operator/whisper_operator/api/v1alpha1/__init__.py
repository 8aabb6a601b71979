"""Version v1alpha1: the Python models are the source of the CRDs."""

from whisper_operator.api.v1alpha1.conditions import Condition, find, mark
from whisper_operator.api.v1alpha1.job import TranscriptionJob
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber

__all__ = ["Condition", "TranscriptionJob", "WhisperTranscriber", "find", "mark"]
