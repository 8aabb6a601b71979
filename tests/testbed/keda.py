"""KEDA's operator and its metrics adapter from their module's sources, with one scaler.

A scaler for each of some seventy services is most of KEDA, and most of what it takes to compile it. All but the one
that is used here are left out; the rest is as published.
"""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from testbed import binaries, paths
from testbed.locks import locked
from testbed.recipes import KEDA
from testbed.say import say
from testbed.shell import run

_FOLDERS = ("apis", "cmd", "controllers", "pkg", "version")
_SCALERS, _BUILDER = Path("pkg/scalers"), Path("pkg/scaling/scalers_builder.go")
_KEPT = frozenset({"scaler.go", "metrics_api_scaler.go"})
# A constant of all scalers, which one of those that are left out defines.
_SHARED = 'package scalers\n\nconst externalMetricType = "External"\n'


def programs() -> Path:
    """The folder of `operator` and `adapter`, built if need be."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    made = paths.cache() / "bin" / f"keda-{KEDA[1]}-{recipe}"
    with locked("build-keda"):
        if not made.exists():
            say(f"building KEDA {KEDA[1]}, about 5 min from cold caches")
            made.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="build-keda-", dir=made.parent) as scratch:
                module, part = _copy(Path(scratch) / "module"), Path(scratch) / "programs"
                part.mkdir()
                words: list[str | Path] = ["go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", part]
                env = {**os.environ, "CGO_ENABLED": "0"}
                run([*words, "./cmd/operator", "./cmd/adapter"], cwd=module, env=env, timeout=3600)
                part.replace(made)
    return made


def trimmed(builder: str, constructors: frozenset[str]) -> str:
    """The source of KEDA's choice of a scaler, with the cases of those that have a constructor."""

    def case(found: re.Match[str]) -> str:
        return found[0] if found["constructor"] in constructors else ""

    return re.sub(r'\tcase "[^\n]*:\n\t\treturn scalers\.(?P<constructor>\w+)\([^\n]*\n', case, builder)


def _copy(module: Path) -> Path:
    """The sources without the scalers that are not needed, and without tests."""
    published = binaries.sources(*KEDA)
    for name in _FOLDERS:
        shutil.copytree(published / name, module / name, ignore=shutil.ignore_patterns("*_test.go", "testdata"))
    for name in ("go.mod", "go.sum"):
        shutil.copy(published / name, module)
    for place, _, _ in os.walk(module):  # what is in the module cache is read-only, and so are its copies
        Path(place).chmod(0o755)
    for file in (module / _SCALERS).glob("*.go"):
        if file.name not in _KEPT:
            file.unlink()
    kept = "".join((module / _SCALERS / name).read_text() for name in _KEPT)
    (module / _SCALERS / "shared.go").write_text(_SHARED)
    builder = module / _BUILDER
    source = trimmed(builder.read_text(), frozenset(re.findall(r"^func (New\w+)\(", kept, re.MULTILINE)))
    builder.unlink()
    builder.write_text(source)
    return module
