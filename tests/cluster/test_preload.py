"""`PRELOAD_MODELS`: the worker's image with a model inside, fetched from a hub while it is built."""

import hashlib
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from assets import weights
from assets.cache import cache_root, locked
from build_images import BuildFailed, Target
from build_images.run import engine
from build_images.targets import ROOT, version
from unit.transcriber_core.hub import hub

REPO = "Systran/faster-whisper-tiny.en"


def preloading(models: str, endpoint: str) -> Target:
    """The worker under a name of the test's own, with models inside."""
    args = {"PRELOAD_MODELS": models, "HF_ENDPOINT": endpoint, "VERSION": version()}
    return Target("preload-test", "preload-test", "transcriber", stage="worker", args=args)


def build(target: Target, folder: Path) -> Path:
    """Build the image; its archive."""
    storage = cache_root() / "images"
    with locked(storage / ".lock"):
        builder = engine(storage)
        builder.build(target, ROOT, target.args, folder / "build.log")
        builder.save(target, folder / "image.tar", folder / "build.log")
    return folder / "image.tar"


def files_below(archive: Path, folder: str) -> dict[str, str]:
    """Path -> SHA-256 of the files below a folder of the image."""
    found: dict[str, str] = {}
    with tarfile.open(archive) as image:
        (about,) = json.load(image.extractfile("manifest.json"))  # type: ignore[arg-type]
        for layer in about["Layers"]:
            with tarfile.open(fileobj=image.extractfile(layer)) as content:
                for member in content:
                    if member.isfile() and member.name.lstrip("./").startswith(folder):
                        data = content.extractfile(member)
                        assert data is not None
                        found[member.name.lstrip("./")] = hashlib.file_digest(data, "sha256").hexdigest()  # type: ignore[arg-type]
    return found


@pytest.mark.cluster
def test_a_worker_is_built_with_a_model_of_the_hub_inside(images: Mapping[str, Path], tmp_path: Path) -> None:
    """After the other images, whose layers it shares."""
    with hub(REPO, weights.tiny_en()) as server:
        archive = build(preloading("tiny.en", server.url), tmp_path)
        assert any("model.bin" in request for request in server.requests)
    inside = files_below(archive, "models/")
    expected = {f"models/tiny.en/{file.name}" for file in weights.tiny_en().iterdir()}
    assert set(inside) == expected
    assert inside["models/tiny.en/model.bin"] == weights.TINY_EN.model_sha256
    assert not files_below(archive, "tmp/")


@pytest.mark.cluster
def test_a_model_that_the_hub_lacks_fails_the_build_by_name(images: Mapping[str, Path], tmp_path: Path) -> None:
    with (
        hub(REPO, weights.tiny_en()) as server,
        pytest.raises(BuildFailed, match=r"has no model Systran/faster-whisper-small"),
    ):
        build(preloading("small", server.url), tmp_path)
