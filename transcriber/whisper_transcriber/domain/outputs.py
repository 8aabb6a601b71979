"""Where a job's result is written besides: objects of a bucket that the service was given. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SCHEME: Final = "s3://"

URL: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/.\x00-\x1f][^/\x00-\x1f]*/)*([^/.\x00-\x1f][^/\x00-\x1f]*)?$"
"""No part of a key begins with a dot: `..` would leave the prefix in whatever reads the bucket as folders."""

ENDINGS: Final[Mapping[str, str]] = {
    "json": ".json",
    "text": ".txt",
    "srt": ".srt",
    "vtt": ".vtt",
    "verbose_json": ".verbose.json",
}

SCHEDULE: Final = (5.0, 15.0, 60.0, 300.0, 900.0, *(3600.0,) * 72)
"""Pauses (s) between two tries: whoever mends a bucket wants to see it soon; for three days in all, as webhooks."""


@dataclass(frozen=True)
class Output:
    """What the keys of a job's objects begin with, and in which formats it is written (none given: all)."""

    url: str
    formats: tuple[str, ...] = ()


def objects(output: Output, job: UUID) -> dict[str, str]:
    """The s3:// URL of each object, by format: the same at every try, so that one is only ever replaced by itself.

    A URL that ends in a slash is a folder: the job's id is the name in it.
    """
    begin = f"{output.url}{job}" if output.url.endswith("/") else output.url
    wanted: Sequence[str] = output.formats or tuple(ENDINGS)
    return {name: begin + ENDINGS[name] for name in wanted}
