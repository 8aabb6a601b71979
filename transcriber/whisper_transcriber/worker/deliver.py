"""Delivers webhooks, and results to buckets: workers may reach the internet, the API may not.

A delivery is claimed as a job is.
"""

import asyncio
import random
from datetime import UTC, datetime
from time import monotonic

from pydantic import TypeAdapter

from whisper_transcriber.bell.port import HOOKS
from whisper_transcriber.deps import Deps, results
from whisper_transcriber.deps.secrets import roots, secrets
from whisper_transcriber.domain.deliveries import Attempt, Delivery, body, headers, pause
from whisper_transcriber.domain.outputs import SCHEDULE, objects
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.http import Limits, Taken, post
from whisper_transcriber.fetch.s3_output import write_s3
from whisper_transcriber.logs import Log
from whisper_transcriber.objects.port import Missing
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.render import Format, Granularity, render
from whisper_transcriber.store.port import Unavailable
from whisper_transcriber.tracing import Attributes, Span
from whisper_transcriber.worker.first import first
from whisper_transcriber.worker.traces import origin

log = Log(__name__)
# More than a try takes: the lease of one whose process died runs out so long after it.
_SPARE_SECONDS = 15.0
_ANSWER_BYTES = 64 * 1024
_FORMAT: TypeAdapter[Format] = TypeAdapter(Format)


async def delivering(deps: Deps, stop: asyncio.Event) -> None:
    """Deliver what is due, several at once, until `stop`; what is being tried then is tried to its end."""
    if not roots(deps.settings) and not deps.settings.s3_outputs:
        return
    async with asyncio.TaskGroup() as group, deps.bell.listen(HOOKS) as ear:
        held: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            held = {task for task in held if not task.done()}
            free = len(held) < deps.settings.webhook_deliveries
            if free and (delivery := await _claim(deps)) is not None:
                held.add(group.create_task(deliver(deps, delivery), name=f"webhook {delivery.id}"))
                continue
            ways = [ear.heard(deps.settings.poll_seconds)] if free else []
            if held:
                await first(None, stop.wait(), asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED), *ways)
            else:
                await first(None, stop.wait(), *ways)


async def deliver(deps: Deps, delivery: Delivery) -> None:
    """Try a delivery once and record what came of it. Never raises for its sake."""
    said: Attributes = {"whisper.job.id": str(delivery.job), "whisper.webhook.attempt": delivery.attempts}
    parent = await origin(deps, delivery)
    name = "write result" if delivery.written else "deliver webhook"
    with deps.tracing.span(name, said, kind="client", parent=parent) as span:
        await _deliver(deps, delivery, span)


async def _deliver(deps: Deps, delivery: Delivery, span: Span) -> None:
    began, started = datetime.now(UTC), monotonic()
    about = {"job": delivery.job, "delivery": delivery.id, "host": delivery.host, "attempt": delivery.attempts}
    try:
        taken = await (_write(deps, delivery) if delivery.written else _send(deps, delivery))
        attempt = Attempt(began, round(monotonic() - started, 3), taken.status)
    except FetchFailed as error:
        taken, attempt = Taken(0), Attempt(began, round(monotonic() - started, 3), error=str(error))
    except Unavailable as error:
        log.warning("Left a webhook to run out", **about, reason=str(error))
        return
    except Exception:
        log.error("Failed at a webhook", trace=True, **about)
        taken, attempt = Taken(0), Attempt(began, round(monotonic() - started, 3), error="the service had an error")
    deps.metrics.webhook_seconds.observe(attempt.seconds)
    schedule = SCHEDULE if delivery.written else deps.settings.webhook_schedule
    again = pause(delivery.attempts, attempt, taken.retry_after, schedule, random.random())  # noqa: S311 - jitter
    outcome = "delivered" if attempt.ok else "failed" if again is None else "postponed"
    try:
        if not await deps.store.hooks.record(delivery, attempt, again):
            outcome = "dropped"
    except Unavailable as error:
        log.warning("Left a webhook to run out", **about, reason=str(error))
        outcome = "dropped"
    deps.metrics.webhooks.labels(outcome).inc()
    method = "PUT" if delivery.written else "POST"
    span.note({"http.request.method": method, "http.response.status_code": attempt.status_code})
    if not attempt.ok:
        span.failed(str(attempt.status_code or "unreachable"))
    say = log.info if attempt.ok else log.warning
    what = "Tried to write a result" if delivery.written else "Tried a webhook"
    say(what, **about, outcome=outcome, status=attempt.status_code, reason=attempt.error, again=again)


async def _claim(deps: Deps) -> Delivery | None:
    try:
        # So long to read the transcript, and as long to send it.
        return await deps.store.hooks.claim(2 * deps.settings.webhook_timeout_seconds + _SPARE_SECONDS)
    except Unavailable as error:
        log.warning("Could not look for webhooks, looking again", reason=str(error))
        return None


async def _send(deps: Deps, delivery: Delivery) -> Taken:
    settings = deps.settings
    if not roots(settings):
        raise FetchFailed("this service signs no webhooks")
    said = body(delivery, settings.public_url, await _transcript(deps, delivery) if delivery.transcript else None)
    now = datetime.now(UTC)
    signing = await deps.store.keys.signing(delivery.tenant)
    limits = Limits(
        _ANSWER_BYTES,
        settings.webhook_timeout_seconds,
        settings.fetch_allow_private,
        authorities=settings.fetch_ca,
    )
    signed = headers(delivery, secrets(settings, delivery.tenant, signing, now), now, said)
    return await post(delivery.url, said, signed, limits)


async def _write(deps: Deps, delivery: Delivery) -> Taken:
    """Write the result of a job to where it asked for."""
    job = await deps.store.get(delivery.job)
    if job is None or job.output is None:
        raise FetchFailed("the job is gone")
    try:
        async with asyncio.timeout(deps.settings.webhook_timeout_seconds):
            transcript = await results.read(deps.objects, job.id)
    except Missing:
        raise FetchFailed("the result was deleted") from None
    except (ObjectsUnavailable, TimeoutError):
        raise FetchFailed("the result could not be read") from None
    shown: tuple[Granularity, ...] = ("segment", "word") if job.request.options.word_timestamps else ("segment",)
    files = {
        url: await asyncio.to_thread(render, transcript, _FORMAT.validate_python(name), shown)
        for name, url in objects(job.output, job.id).items()
    }
    settings = deps.settings
    await write_s3(files, job.tenant, settings.s3_outputs, settings.webhook_timeout_seconds, settings.fetch_ca)
    return Taken(200)


async def _transcript(deps: Deps, delivery: Delivery) -> str | None:
    try:
        async with asyncio.timeout(deps.settings.webhook_timeout_seconds):
            return (await results.read(deps.objects, delivery.job)).text
    except Missing:
        return None
    except (ObjectsUnavailable, TimeoutError):
        raise FetchFailed("the transcript that was asked for could not be read") from None
