"""Packages of Debian, fetched and unpacked beside the system: nothing is installed.

`apt-get` checks the archive's signatures, which vouch for the files.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

_UNLOCKED: Final = ("-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=120")


class PackagesUnavailable(Exception):
    """Debian's packages could not be fetched; the message says what to do."""


def unpack(packages: list[str], to: Path) -> Path:
    """The files of these packages, without what they depend on, in a folder `root` under `to`."""
    downloads = _folder(to / "packages")
    _fetch(["download", "--quiet", *packages], downloads)
    return _unpacked(downloads, to / "root")


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


def _fetch(arguments: list[str], folder: Path) -> None:
    """Run apt-get, with fresh lists where there are none."""
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        raise PackagesUnavailable(
            f"{' and '.join(missing)} not found: run on Debian or Ubuntu, or install apt and dpkg"
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
