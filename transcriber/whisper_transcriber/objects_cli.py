"""`whisper-transcriber objects rewrap | encrypt`: where the keys are: in a pod, or beside a data folder."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whisper_transcriber import wiring
from whisper_transcriber.domain.files import FILES
from whisper_transcriber.domain.job import JOBS
from whisper_transcriber.objects.disk import DiskObjects
from whisper_transcriber.objects.port import Unavailable
from whisper_transcriber.settings import InvalidSettings, Settings, load_settings
from whisper_transcriber.store.port import Unavailable as StoreUnavailable
from whisper_transcriber.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from whisper_transcriber.deps.encrypting import Progress
    from whisper_transcriber.objects.encrypted import EncryptedObjects
    from whisper_transcriber.objects.rewrap import Tally

OK, UNAVAILABLE, UNUSABLE = 0, 1, 2


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `objects`; exit codes: 0, 1 where a store does not answer, 2 where something is left to do."""
    objects = subparsers.add_parser("objects", help="look after what is in the object store")
    commands = objects.add_subparsers(required=True, metavar="COMMAND")
    again = "It may be interrupted, and goes on when it is run again."
    for name, action, purpose, more in (
        (
            "rewrap",
            _rewrap,
            "wrap the keys of all objects by the first of WHISPER_OBJECTS_KEYS",
            "The objects themselves stay as they are. Once it has ended well, the other keys are not needed any more.",
        ),
        (
            "encrypt",
            _encrypt,
            "encrypt what was written before encryption was switched on",
            "Once it has ended well, WHISPER_OBJECTS_READ_UNENCRYPTED is not needed any more.",
        ),
    ):
        command = commands.add_parser(name, help=purpose, description=f"{more} {again}")
        command.add_argument("--data-dir", type=Path, help="of a service on one machine that does not run now")
        command.set_defaults(func=lambda arguments, action=action: _run(action(arguments.data_dir)))


def _run(work: "Coroutine[Any, Any, Tally | Progress]") -> int:
    try:
        found = asyncio.run(work)
    except InvalidSettings as error:
        sys.stderr.writelines(f"error: {problem}\n" for problem in error.problems)
        return UNUSABLE
    except (Unavailable, StoreUnavailable) as error:
        sys.stderr.write(f"error: {error}; run it again to go on\n")
        return UNAVAILABLE
    sys.stdout.write(f"{found}\n")
    return OK if found.done else UNUSABLE


async def _rewrap(folder: Path | None) -> "Tally":
    from whisper_transcriber.objects.rewrap import rewrap

    return await rewrap(_objects(load_settings(), folder), (JOBS, FILES), _tell)


async def _encrypt(folder: Path | None) -> "Progress":
    from whisper_transcriber.deps.encrypting import encrypt

    settings = load_settings()
    objects = _objects(settings, folder)
    store = SqliteStore(folder / "jobs.sqlite") if folder else wiring.build(settings).store
    try:
        if folder:
            await store.migrate()
        return await encrypt(objects, store, _tell)
    finally:
        await store.close()


def _objects(settings: Settings, folder: Path | None) -> "EncryptedObjects":
    from whisper_transcriber.objects.encrypted import EncryptedObjects

    store = DiskObjects(folder / "objects") if folder else wiring.bucket(settings)
    objects = wiring.protected(store, settings)
    if not isinstance(objects, EncryptedObjects):
        raise InvalidSettings(["WHISPER_OBJECTS_KEYS: it is not set, so nothing is encrypted."])
    return objects


def _tell(found: "Tally | Progress") -> None:
    sys.stderr.write(f"{found} …\n")
    sys.stderr.flush()
