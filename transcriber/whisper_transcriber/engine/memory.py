"""How much memory models may take, and how much one is likely to take: estimates, enough to choose what to keep."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import Final

from whisper_transcriber.domain.model import ModelSpec

_RESERVE: Final = 512 << 20  # bytes for the process itself and for decoding audio beside it
_WORKING: Final = 128 << 20  # bytes that a call computes with, whatever the model
_GPU_SHARE: Final = 0.9  # of the GPU's memory; the rest is what the driver and the libraries take
_BYTES: Final = {"int8": 1, "float16": 2, "float32": 4}  # per value


def budget(gpu: int | None, cgroup: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes for all models: those of the GPU where there is one, else what the cgroup or the machine has left."""
    if gpu is not None:
        return int(gpu * _GPU_SHARE)
    limits = [_number(cgroup / "memory.max"), _number(cgroup / "memory" / "memory.limit_in_bytes"), _machine(meminfo)]
    return max(0, min((limit for limit in limits if limit is not None), default=0) - _RESERVE)


def footprint(weights: int, spec: ModelSpec, *, gpu: bool) -> int:
    """Bytes that a model takes while it computes, from those of its file, which holds float16 values as a rule."""
    kind = spec.compute_type
    if kind == "auto":
        kind = "float16" if gpu else "int8" if spec.engine == "ctranslate2" else "float32"
    return weights // 2 * _BYTES[kind] + weights + _WORKING


def gpu_memory() -> int | None:
    """The bytes of the first CUDA device; None where there is none."""
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL("libcuda.so.1")
        device, size = ctypes.c_int(), ctypes.c_size_t()
        asked = (
            driver.cuInit(0),
            driver.cuDeviceGet(ctypes.byref(device), 0),
            driver.cuDeviceTotalMem_v2(ctypes.byref(size), device),
        )
        if not any(asked):  # each answers 0 where it succeeded
            return size.value
    return None


def carries_cuda(library_path: str) -> bool:
    """Whether CUDA's libraries are where `LD_LIBRARY_PATH` leads: an image that is meant for a GPU."""
    return any((Path(folder) / "libcublas.so.12").exists() for folder in library_path.split(":") if folder)


def _number(file: Path) -> int | None:
    with suppress(OSError, ValueError):  # no such file in this kind of cgroup; `max` is no limit
        return int(file.read_text())
    return None


def _machine(meminfo: Path) -> int | None:
    with suppress(OSError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemTotal:"))
        return int(line.split()[1]) * 1024
    return None
