"""Packages of Debian, fetched and unpacked beside the system: nothing is installed.

`apt-get` checks the archive's signatures, which vouch for the files. A machine that has none, but a Docker engine,
lends it from a container.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

_IMAGE: Final = "docker.io/library/debian:trixie-slim"
"""The base of the project's own images: an engine that built those has it."""
_UNLOCKED: Final = ("-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=120")


class PackagesUnavailable(Exception):
    """Debian's packages could not be fetched; the message says what to do."""


def unpack(packages: list[str], to: Path) -> Path:
    """The files of these packages, without what they depend on, in a folder `root` under `to`."""
    if _missing() and shutil.which("docker"):
        return unpack_in_container(packages, to)
    downloads = _folder(to / "packages")
    _fetch(["download", "--quiet", *packages], downloads)
    return _unpacked(downloads, to / "root")


def unpack_in_container(packages: list[str], to: Path) -> Path:
    """As `unpack`, by Docker's engine; the files come as a stream, since an engine elsewhere cannot mount `to`."""
    script = (
        'exec 3>&1 >&2; apt-get update -q; cd /tmp; apt-get download -q "$@"; '
        'for package in *.deb; do dpkg-deb -x "$package" /out; done; tar -C /out -c . >&3'
    )
    command = ["docker", "run", "--rm", "--network", "host", _IMAGE, "sh", "-euc", script, "sh", *packages]
    with tempfile.TemporaryFile() as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise PackagesUnavailable(f"apt-get in a container failed:\n{done.stderr.strip()}")
        stream.seek(0)
        with tarfile.open(fileobj=stream) as files:
            files.extractall(to / "root", filter="tar")
    return to / "root"


def unpack_program(package: str, to: Path) -> Path:
    """The files of a package and of all that it needs and this machine lacks, in a folder `root` under `to`."""
    downloads = _folder(to / "packages")
    _folder(downloads / "partial")
    options = ["-o", f"Dir::Cache::archives={downloads}", "-o", "Debug::NoLocking=1"]
    _fetch(["install", "--download-only", "--no-install-recommends", "-qq", "--yes", *options, package], downloads)
    return _unpacked(downloads, to / "root")


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _unpacked(downloads: Path, root: Path) -> Path:
    for package in downloads.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.rmtree(downloads)
    return root


def _missing() -> list[str]:
    return [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]


def _fetch(arguments: list[str], folder: Path) -> None:
    """Run apt-get, with fresh lists where there are none."""
    if missing := _missing():
        raise PackagesUnavailable(
            f"{' and '.join(missing)} not found: run on Debian or Ubuntu, or install apt and dpkg, or start Docker"
        )
    problem = _apt(arguments, folder)
    if problem and os.geteuid() == 0:
        _apt(["update", "--quiet"], folder)
        problem = _apt(arguments, folder)
    if problem:
        raise PackagesUnavailable(f"apt-get {arguments[0]} failed (is `apt-get update` due?):\n{problem}")


def _apt(arguments: list[str], folder: Path) -> str:
    """What apt-get complained of, or nothing when it succeeded. Two tests may ask for different packages at once, so
    the lists' lock is waited for."""
    done = subprocess.run(["apt-get", *_UNLOCKED, *arguments], cwd=folder, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"
