"""The lines that a batch writes, in OpenAI's form."""

import json
from dataclasses import asdict
from typing import Any

from whisper_transcriber.domain.batches import Batch, Refusal


def answered(batch: Batch, line: int, custom_id: str, status: int, body: object) -> str:
    """A line of the output or of the errors: a request that was answered. Its id is its job's."""
    response = {"status_code": status, "request_id": str(batch.job(line)), "body": body}
    return _said(batch, line, custom_id, response, None)


def unanswered(batch: Batch, line: int, custom_id: str, code: str, message: str) -> str:
    """A line of the errors: a request that was given up."""
    return _said(batch, line, custom_id, None, {"code": code, "message": message})


def _said(batch: Batch, line: int, custom_id: str, response: object, error: object) -> str:
    id_ = f"batch_req_{batch.job(line).hex}"
    record = {"id": id_, "custom_id": custom_id, "response": response, "error": error}
    return json.dumps(record, ensure_ascii=False) + "\n"


def refusal_body(refusal: Refusal) -> dict[str, Any]:
    """A refusal as the body of an answer."""
    said = asdict(refusal)
    kind = "invalid_request_error" if said.pop("status") < 500 else "server_error"
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}}
