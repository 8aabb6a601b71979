"""Find a model's files, preloaded, in the cache or at their source, and prove that they are the right ones."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whisper_transcriber.domain.model import S3, HuggingFace, ModelFiles, ModelSpec, ModelUnavailable, Source
from whisper_transcriber.models.catalogue import CATALOGUE
from whisper_transcriber.models.digest import digest_of
from whisper_transcriber.models.fetch import fetch
from whisper_transcriber.models.folder import NoModel, weights_in


def resolve(spec: ModelSpec, preloaded: Path, cache: Path) -> ModelFiles:
    """The files of a model, fetched if they are not here yet.

    First `preloaded`/<name> (only if the spec names no other source), then `cache`, then the source. What the digest in
    the spec (or, for a name of the catalogue, the catalogue's) does not match is never returned. A fetch is atomic: an
    interrupted one is never mistaken for a model. Raises ModelUnavailable, whose message says what to change.
    """
    memo = cache / "digests"
    source, digest = _wanted(spec)
    image_may_hold_it = spec.source is None or source == _catalogued(spec.name)
    if image_may_hold_it and (preloaded / spec.name).is_dir():
        return _proven(spec, preloaded / spec.name, digest, memo)
    if source is None:
        raise ModelUnavailable(
            f"The model {spec.name!r} is not in {preloaded} and not a known name ({', '.join(CATALOGUE)}): "
            "give its `source`."
        )
    if source.path is not None:
        if not Path(source.path).is_dir():
            raise ModelUnavailable(
                f"The model {spec.name!r} should be in the folder {source.path}, which does not exist."
            )
        return _proven(spec, Path(source.path), digest, memo)
    remote = source.hugging_face or source.s3
    assert remote is not None, "a source has one of its three kinds"
    return _proven(spec, _cached(spec, remote, cache), digest, memo)


def _wanted(spec: ModelSpec) -> tuple[Source | None, str | None]:
    """Where to get it, and the digest to insist on: the catalogue's digest holds for the catalogue's source only."""
    known = _catalogued(spec.name)
    source = spec.source or known
    pinned = CATALOGUE[spec.name].digest if known is not None and source == known else None
    return source, spec.digest or pinned


def _catalogued(name: str) -> Source | None:
    return Source(hugging_face=HuggingFace(repo=CATALOGUE[name].repo)) if name in CATALOGUE else None


def _proven(spec: ModelSpec, folder: Path, digest: str | None, memo: Path) -> ModelFiles:
    try:
        weights = weights_in(folder, spec.engine)
    except NoModel as error:
        raise ModelUnavailable(f"The model {spec.name!r} in {folder} {error}") from error
    found = digest_of(folder / weights, memo)
    if digest is not None and found != digest:
        raise ModelUnavailable(
            f"The model {spec.name!r} in {folder} has the digest {found}, but {digest} is expected: correct `digest`, "
            "or `source`, or remove the folder if its files are damaged."
        )
    return ModelFiles(folder, found, weights)


def _cached(spec: ModelSpec, source: HuggingFace | S3, cache: Path) -> Path:
    """The source's folder in the cache; filled under a lock, so that the pods that share a volume fetch once.

    One folder serves both engines: what is fetched for openai-whisper includes what CTranslate2 wants.
    """
    key = hashlib.sha256(source.model_dump_json().encode()).hexdigest()[:16]
    folder = cache / "models" / f"{spec.name}-{key}"
    if folder.is_dir():
        return folder
    with _locked(cache / "models" / f".{spec.name}-{key}.lock"):
        if folder.is_dir():
            return folder
        partial = cache / "models" / f".{spec.name}-{key}.partial"
        partial.mkdir(exist_ok=True)
        fetch(source, partial, spec.engine)
        try:
            weights_in(partial, spec.engine)
        except NoModel as error:
            where = source.repo if isinstance(source, HuggingFace) else source.uri
            shutil.rmtree(partial)
            raise ModelUnavailable(f"What {where} holds {error}") from error
        partial.rename(folder)
    return folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as error:
        raise ModelUnavailable(
            f"The model cache {file.parent} cannot be written ({error.strerror}): mount a volume there "
            "that the worker owns."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # let go with the descriptor, even by a kill
        yield
