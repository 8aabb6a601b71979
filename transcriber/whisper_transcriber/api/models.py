"""The models that can be asked for."""

from fastapi import APIRouter

from whisper_transcriber.api.access import Given
from whisper_transcriber.api.bodies import ModelBody, ModelList, model_bodies
from whisper_transcriber.deps.catalogue import WHISPER
from whisper_transcriber.request.errors import not_found

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_(deps: Given) -> ModelList:
    """All models, each under its name and its aliases; `whisper-1` is one of the default model's."""
    listed = [body for spec in deps.models.specs for body in model_bodies(spec)]
    if WHISPER not in {body.id for body in listed}:
        listed.append(ModelBody(id=WHISPER))
    return ModelList(data=listed)


@router.get("/{model:path}")
async def get(model: str, deps: Given) -> ModelBody:
    """One model."""
    if deps.models.find(model) is None:
        raise not_found(f"The model {model!r} does not exist.", "model_not_found", "model")
    return ModelBody(id=model)
