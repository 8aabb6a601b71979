"""What programs say of their troubles: words that tell more than that a container ended, or is not ready."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

LONGEST = 300


class Known(NamedTuple):
    """A trouble that is known by its words: the reason, and what to do about it."""

    words: re.Pattern[str]
    reason: str
    advice: str


_KNOWN = (
    Known(
        re.compile(r"No space left on device|volume is full", re.IGNORECASE),
        "VolumeFull",
        "Raise the storage of this component, or delete what nobody needs; it goes on by itself.",
    ),
    Known(
        re.compile(
            "password authentication failed|password refused|access refused|WRONGPASS|NOAUTH|not permitted to|"
            "InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied"
        ),
        "PasswordRefused",
        "Was a password changed by hand? Put it back where it was changed, or put the new one into the Secret.",
    ),
    Known(
        re.compile(r"model is not loaded: "),
        "ModelUnavailable",
        "Correct spec.models, or let the workers reach the model's source; they go on trying.",
    ),
    Known(
        re.compile(r"\bthe database: |PostgreSQL does not answer"),
        "DatabaseUnreachable",
        "It is tried again and again. Does the database run, and may it be reached?",
    ),
    Known(
        re.compile(r"\bthe objects: |cannot be made: "),
        "ObjectsUnreachable",
        "It is tried again and again. Does the object store run, and may it be reached?",
    ),
)


def known(said: str) -> Known | None:
    """The trouble that these words are about, if it is a known one."""
    return next((trouble for trouble in _KNOWN if trouble.words.search(said)), None)


def tail(said: str) -> str:
    """The end of what a container said last, on one line."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    text = " ".join(lines[-3:])
    return text if len(text) <= LONGEST else f"…{text[-LONGEST:]}"


def readiness(answer: str) -> str:
    """What `/readyz` of a pod says is missing, as a sentence; empty if nothing is.

    The API answers with its checks, a worker with plain text.
    """
    try:
        decoded = json.loads(answer)
    except ValueError:
        return answer.strip()[:LONGEST]
    checks = decoded.get("checks") if isinstance(decoded, Mapping) else None
    if not isinstance(checks, Mapping):
        return ""
    names = {"store": "the database", "objects": "the objects"}
    wrong = [f"{names[check]}: {word}" for check, word in checks.items() if check in names and word != "ok"]
    return "; ".join(wrong)
