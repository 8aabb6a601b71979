"""A Python with torch and openai-whisper, beside the one of the tests.

PyPI's torch for Linux brings CUDA's libraries, about 5 GB; Debian's `python3-torch` is for processors only. It belongs
to the system's Python, so the environment is made from that one and sees the system's packages.
"""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from testbed import paths
from testbed.locks import locked
from testbed.say import step
from testbed.shell import CommandFailed, run

_HERE: Final = Path(__file__).parent
_LOCK: Final = _HERE / "torch.lock"
_SYSTEM: Final = Path("/usr/bin/python3")
_PACKAGES: Final = ("python3-torch", "libopenblas0-pthread")  # with Debian's reference BLAS, torch is 30 times slower
_WORKS: Final = "import torch, whisper; assert torch.from_numpy(__import__('numpy').ones(1)).sum() == 1"


def python() -> Path:
    """The interpreter of the environment, which is made on first use. Raises CommandFailed with what to do."""
    debian = shutil.which("apt-get") is not None
    # What is locked and which Python it is for are in the path: a change of either makes another environment.
    made = f"{_LOCK.read_text()}{_version(_SYSTEM) if debian else sys.version}"
    folder = paths.cache() / "torch" / hashlib.sha256(made.encode()).hexdigest()[:12]
    with locked("torch"):
        if not (folder / "complete").exists():
            with step("making a Python with torch and openai-whisper, 2 to 10 minutes"):
                _make(folder, debian)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def environment(cpuinfo: str | None = None) -> dict[str, str]:
    """Variables under which torch computes well on shared processors; for its own processes only.

    Threads that spin while they wait take the time of those that work. Debian 12's OpenBLAS does not know newer
    processors and falls back to code for very old ones, so it is told which instructions there are.
    """
    if cpuinfo is None:
        file = Path("/proc/cpuinfo")
        cpuinfo = file.read_text() if file.exists() else ""
    core = _core(frozenset(next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "").split()))
    return {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1", **core}


def _core(flags: frozenset[str]) -> Mapping[str, str]:
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return {"OPENBLAS_CORETYPE": "SkylakeX"}
    return {"OPENBLAS_CORETYPE": "Haswell"} if {"avx2", "fma"} <= flags else {}


def _make(folder: Path, debian: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if debian:
        _install()
    uv = Path(sys.executable).with_name("uv")
    seen = ["--system-site-packages"] if debian else []
    run([uv, "venv", "--quiet", "--no-project", *seen, "--python", _SYSTEM if debian else sys.executable, folder])
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    if not debian:
        run([*install, "torch", "numpy"], timeout=3600)
    run([*install, "--no-deps", "--require-hashes", "--requirement", _LOCK], timeout=1200)
    run([folder / "bin" / "python", "-c", _WORKS], env={**os.environ, **environment()})


def _install() -> None:
    """Debian's packages, where they are not there yet."""
    lacking = [package for package in _PACKAGES if not _installed(package)]
    if not lacking:
        return
    if os.geteuid() != 0:
        raise CommandFailed(
            f"the tests of openai-whisper need Debian's torch: sudo apt-get install {' '.join(lacking)}"
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env, timeout=600)
    run(["apt-get", "install", "-qy", "--no-install-recommends", *lacking], env=env, timeout=1200)


def _installed(package: str) -> bool:
    try:
        return "ok installed" in run(["dpkg-query", "--show", "--showformat=${Status}", package])
    except CommandFailed:
        return False


def _version(python: Path) -> str:
    return run([python, "-c", "import sys; print(sys.version)"]) if python.exists() else platform.python_version()
