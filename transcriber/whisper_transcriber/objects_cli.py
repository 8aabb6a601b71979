"""`whisper-transcriber objects rewrap`: after a change of keys, where they are: in a pod, or beside a data folder."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from whisper_transcriber import wiring
from whisper_transcriber.domain.files import FILES
from whisper_transcriber.domain.job import JOBS
from whisper_transcriber.objects.port import Unavailable
from whisper_transcriber.settings import InvalidSettings, load_settings

if TYPE_CHECKING:
    from whisper_transcriber.objects.rewrap import Tally

OK, UNAVAILABLE, UNUSABLE = 0, 1, 2


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `objects`; exit codes: 0, 1 where the store does not answer, 2 where a key is missing."""
    objects = subparsers.add_parser("objects", help="look after what is in the object store")
    rewrap = objects.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "rewrap",
        help="wrap the keys of all objects by the first of WHISPER_OBJECTS_KEYS",
        description="The objects themselves stay as they are. Once it has ended well, the other keys are not needed "
        "any more. It may be interrupted, and goes on when it is run again.",
    )
    rewrap.add_argument("--data-dir", type=Path, help="of a service on one machine; else the bucket of WHISPER_S3_…")
    rewrap.set_defaults(func=_rewrap)


def _rewrap(arguments: argparse.Namespace) -> int:
    try:
        tally = asyncio.run(_all(arguments.data_dir))
    except InvalidSettings as error:
        sys.stderr.writelines(f"error: {problem}\n" for problem in error.problems)
        return UNUSABLE
    except Unavailable as error:
        sys.stderr.write(f"error: {error}; run it again to go on\n")
        return UNAVAILABLE
    sys.stdout.write(f"{tally}\n")
    return OK if tally.done else UNUSABLE


async def _all(folder: Path | None) -> "Tally":
    from whisper_transcriber.objects.disk import DiskObjects
    from whisper_transcriber.objects.encrypted import EncryptedObjects
    from whisper_transcriber.objects.rewrap import rewrap

    settings = load_settings()
    store = DiskObjects(folder / "objects") if folder else wiring.bucket(settings)
    objects = wiring.protected(store, settings)
    if not isinstance(objects, EncryptedObjects):
        raise InvalidSettings(["WHISPER_OBJECTS_KEYS: it is not set, so nothing is encrypted."])
    return await rewrap(objects, (JOBS, FILES), lambda tally: _say(f"{tally} …"))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
