"""The request bodies in the OpenAPI document, which FastAPI cannot see: we read them as streams."""

from typing import Any

from whisper_transcriber.api.chunking import ServerVad
from whisper_transcriber.api.job_parameters import JobFields, S3Source
from whisper_transcriber.render import FORMATS, GRANULARITIES

_FILE = {"type": "string", "format": "binary", "description": "Audio or video in any common format"}
_OPTIONS: dict[str, Any] = JobFields.model_json_schema()["properties"] | {
    "chunking_strategy": {
        "description": "`auto`, or how speech is told from silence",
        "anyOf": [{"type": "string", "enum": ["auto"]}, ServerVad.model_json_schema()],
    }
}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["file"], "properties": {"file": _FILE, **properties}}
    return {"multipart/form-data": {"schema": schema}}


TRANSCRIPTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": _form(
            {
                "model": {"type": "string", "description": "A name or alias of `GET /v1/models`"},
                "language": {"type": "string", "description": "Code or English name; detected if absent"},
                "languages[]": {**_OPTIONS["languages"], "title": "Languages"},
                "prompt": {"type": "string"},
                "keywords[]": {**_OPTIONS["keywords"], "title": "Keywords"},
                "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
                "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
                "timestamp_granularities[]": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(GRANULARITIES)},
                },
                "chunking_strategy": _OPTIONS["chunking_strategy"],
                "channels": _OPTIONS["channels"],
            }
        ),
    }
}

_PLACE = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
}
_SOURCE = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "http": {
            **_PLACE,
            "properties": {"url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 8192}},
        },
        "upload": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64}},
        },
        "s3": {**_PLACE, "properties": {"url": S3Source.model_json_schema()["properties"]["url"]}},
    },
}

JOB: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "additionalProperties": False,
                    "properties": {"source": _SOURCE, **_OPTIONS},
                }
            },
            **_form(_OPTIONS),
        },
    }
}
