"""`Prefer: respond-async` (RFC 7240): the job instead of its result, for whoever does not want to wait."""

from fastapi import Request
from fastapi.responses import Response

from whisper_transcriber.api.bodies import job_body
from whisper_transcriber.domain.job import Job


def prefers_async(request: Request) -> bool:
    """Whether the client would rather not wait."""
    given = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(each.partition(";")[0].strip() == "respond-async" for each in given)


def accepted(job: Job) -> Response:
    """202 with the job, and where to follow it."""
    headers = {"Location": f"/v1/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return Response(job_body(job).model_dump_json(), 202, headers, "application/json")
