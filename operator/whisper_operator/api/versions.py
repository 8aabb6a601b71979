"""Which versions of the transcriber this operator manages. Pure."""

import re
from typing import Final, NamedTuple

_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-_].*)?")


class Release(NamedTuple):
    """Major, minor and patch of a version, whatever comes after them."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


LEAST: Final = Release(0, 1, 0)
"""The first that understands all that this operator writes for it: its environment, its API."""

BELOW: Final = Release(0, 2, 0)
"""The next that may have another schema, or read other variables: nobody knows yet."""

MANAGED: Final = f">={LEAST} <{BELOW}"
"""The same as a range, which the chart's annotation and `spec.version` tell people."""

ANNOTATION: Final = "whisper-operator.dev/transcriber-versions"


def release(tag: str) -> Release | None:
    """The release that a tag of images is of, such as `0.1.0`, `0.1.0-rc.1` or `0.1.0-cuda`; None: it says none."""
    found = _VERSION.fullmatch(tag)
    return Release(*map(int, found.groups())) if found else None


def complaint(tag: str) -> str | None:
    """What is wrong with a version that somebody asks for, and what to do; None if this operator manages it."""
    asked = release(tag)
    if asked is None:
        return (
            f"spec.version is {tag}, which is no version such as {LEAST}: remove it for the operator's own, or put a "
            "tag of the images that is no version into spec.images.tag"
        )
    if LEAST <= asked < BELOW:
        return None
    move = "upgrade the operator first" if asked >= BELOW else "choose a newer one, or keep the operator of before"
    return f"spec.version is {tag}, and this operator manages {MANAGED}: {move}. What runs keeps running until then"
