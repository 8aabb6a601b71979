"""Running a program to its end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailed(RuntimeError):
    """A program ended with an error; the message holds its command line and what it said."""


def sbin_path(path: str) -> str:
    """PATH with the folders where Debian keeps a node's tools, which an ordinary user's PATH lacks."""
    return os.pathsep.join([path, "/usr/local/sbin", "/usr/sbin", "/sbin"])


def run(
    argv: Sequence[str | Path],
    *,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 300,
) -> str:
    """The program's standard output. Raises CommandFailed if it fails or needs more than `timeout` seconds."""
    words = [str(word) for word in argv]
    environment = dict(os.environ if env is None else env)
    environment["PATH"] = sbin_path(environment.get("PATH", os.defpath))
    try:
        done = subprocess.run(
            words, input=input, env=environment, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(words)}: not done after {timeout:.0f} s") from error
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed") from error
    if done.returncode:
        raise CommandFailed(f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
