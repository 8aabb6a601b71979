"""`whisper-transcriber standalone`: the API and a worker in one process, a file and a folder instead of servers."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from whisper_transcriber import cli, logs, tracing, wiring
from whisper_transcriber.bell.memory import MemoryBell
from whisper_transcriber.deps import Deps
from whisper_transcriber.deps.catalogue import catalogue
from whisper_transcriber.deps.http import CannotListen, serve
from whisper_transcriber.domain.model import BrokenEngine, ModelUnavailable
from whisper_transcriber.logs import Log
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.settings import InvalidSettings, Settings, load_settings
from whisper_transcriber.store.port import Unavailable as StoreUnavailable
from whisper_transcriber.store.sqlite import SqliteStore

log = Log(__name__)
OK, UNAVAILABLE, UNUSABLE, BROKEN = 0, 1, 2, 3


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `standalone`; it sets `func`, which takes the parsed arguments and returns an exit code."""
    home = cli.user_data()
    command = subparsers.add_parser(
        "standalone",
        help="run the whole service on this machine: no PostgreSQL, Redis, S3 or Kubernetes",
        description="The API and a worker in one process. Jobs are kept in --data-dir and go on after a restart.",
        epilog="Whatever else can be set is set by WHISPER_… in the environment, as for `serve` and `work`.",
    )
    command.add_argument("--model", default="base", help="name of a model, or folder of one (default: base)")
    command.add_argument("--engine", choices=cli.ENGINES, default=cli.ENGINES[0], help="what runs the model")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    command.add_argument("--port", type=_port, default=8000, help="port to listen on (default: 8000)")
    command.add_argument("--data-dir", type=Path, default=home, help=f"where jobs and audio are kept (default: {home})")
    command.add_argument("--threads", type=int, default=0, help="processors to use; 0 for all")
    command.add_argument("--no-auth", action="store_true", help="take requests without an API key")
    command.set_defaults(func=_standalone)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return int(text)


def _standalone(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settings = _settings(arguments)
        logs.configure(settings.log_level)
        asyncio.run(run(settings, folder))
    except InvalidSettings as error:
        return _refuse(UNUSABLE, *error.problems)
    except ModelUnavailable as error:
        return _refuse(UNUSABLE, str(error))
    except OSError as error:
        return _refuse(UNUSABLE, f"{folder}: {error.strerror or error}")
    except BrokenEngine as error:
        return _refuse(BROKEN, f"The engine is broken ({error}).")
    except (CannotListen, StoreUnavailable, ObjectsUnavailable) as error:
        return _refuse(UNAVAILABLE, str(error))
    return OK


async def run(settings: Settings, folder: Path) -> None:
    """Serve and work until SIGTERM or SIGINT; what `folder` holds of an earlier run goes on."""
    from whisper_transcriber import worker
    from whisper_transcriber.app import create_app

    objects = wiring.protected(DiskObjects(folder / "objects"), settings)
    store, traces = SqliteStore(folder / "jobs.sqlite"), tracing.load("whisper-transcriber")
    deps = Deps(settings, store, MemoryBell(), objects, Metrics(), catalogue(settings), traces)
    async with wiring.process(deps, settings.claims) as stop:
        await deps.store.migrate()
        # The worker stops after the API, which still waits for the transcripts of the requests that it has taken.
        served, models = asyncio.Event(), worker.Models(deps)
        api = serve(create_app(deps, stop), settings.host, settings.port, stop, settings.shutdown_seconds)
        log.info("Serving", url=f"http://{settings.host}:{settings.port}", model=deps.models.default.name)
        await wiring.together(api, worker.run(deps, models, served), stop, served)


def _settings(arguments: argparse.Namespace) -> Settings:
    """What the environment says, and over it the command line. Raises InvalidSettings, ModelUnavailable."""
    spec = cli.model_spec(arguments.model, arguments.engine)
    cli.resolved(spec)  # a wrong name shall end this now, and a model be fetched before anybody waits for it
    scratch = arguments.data_dir / "scratch"
    scratch.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "host": arguments.host,
        "port": arguments.port,
        "threads": arguments.threads,
        "models": (spec.model_dump(mode="json", exclude_none=True),),
        "model_cache": cli.user_cache(),
        "scratch": scratch,
    }
    said = load_settings(**given)
    if not said.webhook_secret.get_secret_value():
        given["webhook_secret"] = _kept(arguments.data_dir / "webhook-secret", "")
    if arguments.no_auth:
        given["api_key"] = ""
    elif not said.api_key.get_secret_value():
        given["api_key"] = _kept(file := arguments.data_dir / "api-key", "sk-")
        sys.stderr.write(f"The API key is in {file}\n")
    return load_settings(**given)


def _kept(file: Path, prefix: str) -> str:
    """The secret in a file, made once; only its owner may read it."""
    if not file.exists():
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w") as opened:
            opened.write(f"{prefix}{secrets.token_urlsafe(32)}\n")
    return file.read_text().strip()


def _refuse(code: int, *problems: str) -> int:
    sys.stderr.writelines(f"error: {problem}\n" for problem in problems)
    return code
