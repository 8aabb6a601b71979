"""The child process that reads media: any whitelisted format on descriptor 0, float32 at 16 kHz on descriptor 1.

Run as a folder (`python -I …/decoder`), it is a program of its own and imports nothing of the package: what parses
hostile bytes has no secrets in its environment, no descriptor but the file and two pipes, limits on memory, processor
time and file size, and no system call left that opens, connects or starts anything (`sandbox`). FFmpeg gets the file
through callbacks on that descriptor, so no protocol is ever used: playlists, ``concat`` scripts and external references
have nothing to open anything with, and are not whitelisted formats either (`media`).

Descriptor 2 carries one JSON object at the end: ``{"seconds"}``, with ``"warning"`` where only a part could be decoded
(``--probe``: ``{"seconds", "channels"}`` of the header), or ``{"error", "kind"}`` with kind ``invalid``, ``too_long``
or ``internal`` (ours: nothing of the file had been read). ``"unconfined"`` says why there is no seccomp filter, if
there is none.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

import sandbox


def main() -> int:
    """Decode (or, with ``--probe``, only look at) descriptor 0. Exit code 0 or 3; anything else is a crash."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-seconds", type=float, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--probe", action="store_true")
    arguments = parser.parse_args()
    os.nice(arguments.niceness)
    sandbox.limit(arguments.cpu_seconds)
    try:
        import media  # after the limits

        media.rehearse()
        source = os.fdopen(0, "rb", buffering=0)
        unconfined = sandbox.confine()
    except Exception as error:
        return say({"error": f"The decoder cannot start: {error!r}", "kind": "internal"}, 3)
    code, report = outcome(media, source, arguments)
    return say(report | ({"unconfined": unconfined} if unconfined else {}), code)


def outcome(media: Any, source: Any, arguments: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """The exit code and the report. From here on, the bytes that are read are somebody else's."""
    try:
        if arguments.probe:
            return 0, media.probe(source)
        return 0, media.decode(source, arguments.max_seconds, arguments.channels)
    except media.Refused as error:
        return 3, {"error": str(error), "kind": error.kind}
    except MemoryError:
        return 3, {"error": "The file needs more memory to decode than is allowed.", "kind": "invalid"}
    except BrokenPipeError:  # the reader has what it wanted
        return 0, {}


def say(report: dict[str, Any], code: int) -> int:
    os.write(2, json.dumps(report).encode() + b"\n")
    return code


if __name__ == "__main__":
    # Not sys.exit: nothing may run after the report, and libraries that parsed hostile bytes need no farewell.
    os._exit(main())
