"""The commands for webhooks and keys, against the API over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from services.servers import answers, free_port, wait_until
from unit.transcriber_service.conftest import KEY
from whisper_transcriber.__main__ import main
from whisper_transcriber.app import create_app
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.http import serve
from whisper_transcriber.domain.job import JobRequest, NewJob
from whisper_transcriber.domain.webhooks import Webhook


class Api:
    """The API in a thread of its own; `run` does something in its loop."""

    def __init__(self, deps: Deps, port: int) -> None:
        self.deps, self.port, self.stop, self.loop = deps, port, asyncio.Event(), asyncio.new_event_loop()
        serving = serve(create_app(deps, self.stop), "127.0.0.1", port, self.stop, 1)
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(serving,), daemon=True)

    def cancelled(self) -> UUID:
        """A job that had a webhook, and was cancelled."""
        new = NewJob(uuid4(), JobRequest("base", sha256="00"), webhook=Webhook("https://receiver.example/"))

        async def made() -> None:
            await self.deps.store.create(new)
            await self.deps.store.cancel(new.id)

        asyncio.run_coroutine_threadsafe(made(), self.loop).result(30)
        return new.id


@pytest.fixture
def api(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API, where the commands look for it."""
    made = Api(deps, free_port())
    made.thread.start()
    wait_until(lambda: answers(made.port), "the API")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{made.port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield made
    made.loop.call_soon_threadsafe(made.stop.set)
    made.thread.join(30)
    made.loop.close()


def said(capsys: pytest.CaptureFixture[str], *command: str, code: int = 0) -> tuple[str, str]:
    """What a command wrote to its two outputs."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    found = capsys.readouterr()
    assert ended.value.code == code, found.err
    return found.out.strip(), found.err.strip()


def test_a_secret_is_printed_and_replaced(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = said(capsys, "webhooks", "secret")
    assert first.startswith("whsec_")
    second, until = said(capsys, "webhooks", "rotate", "--overlap", "2h")
    assert second != first
    assert "signs too, until 20" in until
    third, until = said(capsys, "webhooks", "rotate", "--overlap", "0s")
    assert (said(capsys, "webhooks", "secret"), until) == ((third, ""), "")


def test_a_job_log_is_printed_and_delivered_anew(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    job = str(api.cancelled())
    line, _ = said(capsys, "webhooks", "log", job)
    delivery, event, state = line.split()[:3]
    assert (event, state) == ("transcription.job.cancelled", "pending,")
    assert said(capsys, "webhooks", "redeliver", job, delivery) == ("", "")
    _, why = said(capsys, "webhooks", "redeliver", job, str(uuid4()), code=2)
    assert "has no delivery" in why
    assert "There is no job" in said(capsys, "webhooks", "log", str(uuid4()), code=2)[1]


def test_a_key_of_a_tenant_gets_the_tenants_secret(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = said(capsys, "webhooks", "secret")
    made, _ = said(capsys, "keys", "create", "app", "--tenant", "sales", "--scope", "webhooks", "--expires-in", "1d")
    assert "sales  webhooks  expires" in said(capsys, "keys", "list")[0]
    monkeypatch.setenv("OPENAI_API_KEY", made)
    assert said(capsys, "webhooks", "secret")[0] != ours
    assert "lacks the scope" in said(capsys, "keys", "list", code=2)[1]


def test_nobody_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, why = said(capsys, "webhooks", "--url", f"http://127.0.0.1:{free_port()}/v1", "secret", code=1)
    assert "does not answer" in why
