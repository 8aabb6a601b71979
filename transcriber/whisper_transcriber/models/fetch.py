"""Bring a model's files into a folder: from the Hugging Face hub or from S3. The only module that knows either."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from whisper_transcriber.domain.model import S3, EngineName, HuggingFace, ModelUnavailable
from whisper_transcriber.models.folder import wanted

_PART = 8 << 20


def fetch(source: HuggingFace | S3, to: Path, engine: EngineName) -> None:
    """Fill `to` with a model's files for the engine; those that an earlier fetch finished are kept.

    Raises ModelUnavailable.
    """
    if isinstance(source, HuggingFace):
        _from_hub(source, to, wanted(engine))
    else:
        _from_s3(source, to, wanted(engine))


def _from_hub(source: HuggingFace, to: Path, patterns: Sequence[str]) -> None:
    os.environ.setdefault("HF_HOME", str(to.parent / "hub"))  # it logs there; a pod's home is read-only
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read once, when the package is imported
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    what = f"{source.repo}@{source.revision}" if source.revision else source.repo
    try:
        snapshot_download(
            source.repo, revision=source.revision, local_dir=to, allow_patterns=list(patterns), endpoint=hub
        )
        shutil.rmtree(to / ".cache", ignore_errors=True)  # its notes, and the halves of files that a kill left
    except GatedRepoError as error:
        raise ModelUnavailable(f"The model {what} is gated: set HF_TOKEN to a token that may read it.") from error
    except RevisionNotFoundError as error:
        raise ModelUnavailable(
            f"{hub} has no revision {source.revision!r} of {source.repo}: correct `revision`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"{hub} has no model {source.repo}, or it is private: correct `repo`, or set HF_TOKEN."
        ) from error
    except HFValidationError as error:
        raise ModelUnavailable(
            f"{source.repo!r} is not the name of a repository (owner/name): correct `repo`."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise ModelUnavailable(
            f"The model {what} could not be fetched from {hub} ({_first_line(error)}): check the network, set "
            "HF_ENDPOINT to a mirror, or give the model by path or S3."
        ) from error


def _from_s3(source: S3, to: Path, patterns: Sequence[str]) -> None:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    bucket, _, prefix = source.uri.removeprefix("s3://").partition("/")
    try:
        # An endpoint inside the cluster is often plain HTTP; whether it is, its address says.
        store = S3Store(bucket, prefix=prefix.strip("/") or None, client_options={"allow_http": True})
        there = {PurePosixPath(entry["path"]).name for page in obstore.list(store) for entry in page}
        for name in sorted(there):
            if any(fnmatch(name, pattern) for pattern in patterns):
                _download(store, name, to / name)
    except (BaseError, OSError) as error:
        raise ModelUnavailable(
            f"The model could not be fetched from {source.uri} ({_first_line(error)}): check the address, "
            "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error


def _download(store: object, name: str, to: Path) -> None:
    import obstore

    with to.open("wb") as file:
        for piece in obstore.get(store, name).stream(min_chunk_size=_PART):
            file.write(piece)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
