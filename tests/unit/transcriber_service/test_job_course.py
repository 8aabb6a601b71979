"""A job by the API, from its audio to its result or its end."""

from pathlib import Path

import httpx

from unit.transcriber_service.calls import CLIP, error, files, succeed
from whisper_transcriber.deps import Deps


async def test_a_job_goes_from_queued_to_its_result(http: httpx.AsyncClient, deps: Deps) -> None:
    made = await http.post("/v1/jobs", files=CLIP, data={"model": "b", "language": "German", "priority": "7"})
    assert made.status_code == 201
    job = made.json()
    assert (job["object"], job["status"], job["model"], job["language"]) == (
        "transcription.job",
        "queued",
        "base",
        "de",
    )
    assert (job["progress"], job["results"], job["error"]) == (0, {}, None)
    early = await http.get(f"/v1/jobs/{job['id']}/result")
    assert (early.status_code, error(early)["code"]) == (425, "not_finished")
    assert str(await succeed(deps)) == job["id"]
    done = (await http.get(f"/v1/jobs/{job['id']}")).json()
    assert (done["status"], done["progress"], done["audio_seconds"]) == ("succeeded", 100, 2.0)
    answers = {form: await http.get(url) for form, url in done["results"].items()}
    assert answers["text"].text.strip() == "Hello."
    assert answers["json"].json()["text"] == "Hello."
    assert "00:00:00,500 --> 00:00:01,500" in answers["srt"].text
    assert answers["vtt"].text.startswith("WEBVTT")
    assert answers["verbose_json"].json()["model_digest"] == "sha256:1"
    wrong = await http.get(f"/v1/jobs/{job['id']}/result?format=pdf")
    assert (wrong.status_code, error(wrong)["param"]) == (400, "format")


async def test_a_job_by_url(http: httpx.AsyncClient) -> None:
    body = {"source": {"http": {"url": "http://a/b"}}, "wordTimestamps": True, "task": "translate"}
    made = await http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    again = await http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    other = await http.post("/v1/jobs", json=body | {"task": "transcribe"}, headers={"Idempotency-Key": "k"})
    assert (made.status_code, again.status_code, other.status_code) == (201, 200, 422)
    assert made.json()["id"] == again.json()["id"]
    assert error(other)["code"] == "idempotency_mismatch"


async def test_a_repeated_upload_is_not_kept_twice(http: httpx.AsyncClient, stored: Path) -> None:
    for _ in range(2):
        await http.post("/v1/jobs", files=CLIP, headers={"Idempotency-Key": "k"})
    assert len(files(stored)) == 1


async def test_jobs_are_listed_in_pages(http: httpx.AsyncClient) -> None:
    ids = [(await http.post("/v1/jobs", files=CLIP)).json()["id"] for _ in range(3)][::-1]
    first = (await http.get("/v1/jobs?limit=2")).json()
    rest = (await http.get(f"/v1/jobs?limit=2&after={first['last_id']}")).json()
    assert [job["id"] for job in first["data"] + rest["data"]] == ids
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert (await http.get("/v1/jobs?status=failed")).json()["data"] == []


async def test_cancel_and_delete(http: httpx.AsyncClient, stored: Path) -> None:
    job = (await http.post("/v1/jobs", files=CLIP)).json()["id"]
    assert (await http.post(f"/v1/jobs/{job}/cancel")).json()["status"] == "cancelled"
    assert (await http.delete(f"/v1/jobs/{job}")).status_code == 204
    assert (await http.get(f"/v1/jobs/{job}")).status_code == 404
    assert files(stored) == []
