"""A Python with torch and openai-whisper, beside the one of the tests.

PyPI's torch for Linux brings CUDA's libraries, about 5 GB; Debian's `python3-torch` is for processors only. It belongs
to the system's Python, so the environment is made from that one and sees the system's packages. Without Debian, or
without it and the rights to install it, the environment has PyPI's.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
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
    lacking = _lacking()
    debian = lacking is not None and (not lacking or os.geteuid() == 0)
    # What is locked and which Python it is for are in the path: a change of either makes another environment.
    made = f"{_LOCK.read_text()}{run([_SYSTEM, '--version']) if debian else sys.version}"
    folder = paths.cache() / "torch" / hashlib.sha256(made.encode()).hexdigest()[:12]
    with locked("torch"):
        if not (folder / "complete").exists():
            how = "Debian's torch, 2 minutes" if debian else "PyPI's torch, which may be 5 GB"
            with step(f"making a Python with openai-whisper and {how}"):
                if lacking and debian:
                    _install(lacking)
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
    uv = Path(sys.executable).with_name("uv")
    seen = ["--system-site-packages"] if debian else []
    run([uv, "venv", "--quiet", "--no-project", *seen, "--python", _SYSTEM if debian else sys.executable, folder])
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    if not debian:
        run([*install, "torch", "numpy"], timeout=3600)
    run([*install, "--no-deps", "--require-hashes", "--requirement", _LOCK], timeout=1200)
    run([folder / "bin" / "python", "-c", _WORKS], env={**os.environ, **environment()})


def _lacking() -> list[str] | None:
    """Debian's packages that are not there yet; None where they cannot be had at all."""
    if shutil.which("apt-get") is None or not _SYSTEM.exists():
        return None
    return [package for package in _PACKAGES if not _installed(package)]


def _install(packages: Sequence[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env, timeout=600)
    run(["apt-get", "install", "-qy", "--no-install-recommends", *packages], env=env, timeout=1200)


def _installed(package: str) -> bool:
    try:
        return "ok installed" in run(["dpkg-query", "--show", "--showformat=${Status}", package])
    except CommandFailed:
        return False
