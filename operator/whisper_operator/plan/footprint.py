"""How much memory a worker needs for its models."""

from collections.abc import Sequence

from whisper_operator.api.v1alpha1.speech import SpeechModel

# MiB to reserve for weights, activations and audio; by the first name that fits. Twice that is the limit, since longer
# batches and float32 take more. Models of other names are taken for `small`.
_SIZES = (("tiny", 640), ("base", 768), ("small", 1536), ("medium", 2560), ("turbo", 2560), ("large", 5120))
_OTHER = 1536


def memory(models: Sequence[SpeechModel]) -> tuple[str, str]:
    """Request and limit for a worker that holds all these models at once."""
    total = sum(_of(model) for model in models)
    return f"{total}Mi", f"{max(2 * total, 2048)}Mi"


def _of(model: SpeechModel) -> int:
    repository = model.source.hugging_face.repo if model.source and model.source.hugging_face else ""
    return next((size for name, size in _SIZES if name in f"{model.name} {repository}".lower()), _OTHER)
