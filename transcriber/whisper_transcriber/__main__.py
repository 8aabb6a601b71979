"""`whisper-transcriber serve | work | migrate | standalone | transcribe | models | keys | webhooks`."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from whisper_transcriber import cli, keys_cli, logs, objects_cli, standalone, webhooks_cli, wiring
from whisper_transcriber.deps.http import CannotListen
from whisper_transcriber.domain.model import BrokenEngine
from whisper_transcriber.objects.port import Unavailable as ObjectsUnavailable
from whisper_transcriber.settings import InvalidSettings, Settings, load_settings, variables
from whisper_transcriber.store.port import Unavailable as StoreUnavailable

OK, UNAVAILABLE, UNUSABLE, BROKEN = 0, 1, 2, 3

_SERVICE: dict[str, tuple[str, Callable[[Settings], Awaitable[None]]]] = {
    "serve": ("run the HTTP API", wiring.serve),
    "work": ("run a worker", wiring.work),
    "migrate": ("bring the database up to date and make the bucket", wiring.migrate),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Exit codes: 0, 1 if the world must change, 2 if the user must, 3 if a new process may help."""
    parser = argparse.ArgumentParser(prog="whisper-transcriber", description="Speech to text, as a service")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (purpose, command) in _SERVICE.items():
        added = commands.add_parser(
            name,
            help=f"{purpose} (settings: WHISPER_… in the environment)",
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            epilog=f"Settings, from the environment; durations are seconds, sizes bytes:\n{variables()}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(func=lambda _arguments, command=command: _service(command))
    standalone.register(commands)
    cli.register(commands)
    keys_cli.register(commands)
    objects_cli.register(commands)
    webhooks_cli.register(commands)
    parsed = parser.parse_args(arguments)
    sys.exit(parsed.func(parsed))


def command() -> None:
    """Run `main` and leave at once.

    obstore's threads may still let go of Python's objects when the work is done. To take the interpreter down under
    them aborts the process (https://github.com/PyO3/pyo3-async-runtimes/issues/40): a good end with status 134.
    """
    try:
        main()
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


def _service(command: Callable[[Settings], Awaitable[None]]) -> int:
    try:
        settings = load_settings()
        logs.configure(settings.log_level)
        asyncio.run(_awaited(command(settings)))
    except InvalidSettings as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return UNUSABLE
    except (CannotListen, StoreUnavailable, ObjectsUnavailable) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNAVAILABLE
    except BrokenEngine as error:
        print(f"error: The engine is broken ({error}).", file=sys.stderr)
        return BROKEN
    return OK


async def _awaited(command: Awaitable[None]) -> None:
    await command


if __name__ == "__main__":
    command()
