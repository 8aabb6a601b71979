"""What must be issued or renewed now, and when to look again: pure, by the certificates there are and the clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from whisper_operator.certs.forge import Certificate

OVERLAP = timedelta(days=1)
"""How long a new authority is trusted everywhere before it signs: kubelets renew mounted ConfigMaps within minutes."""
SOON = timedelta(seconds=30)


class Step(StrEnum):
    """What an authority needs."""

    NONE = ""
    MAKE = "Make"  # there is none, or it has ended
    PREPARE = "Prepare"  # make its successor, which is trusted from now on
    PROMOTE = "Promote"  # let the successor sign; the old one stays trusted until it ends


class Why(StrEnum):
    """Why a server's certificate is made anew."""

    FINE = ""
    MISSING = "Missing"
    UNREADABLE = "Unreadable"
    EXPIRED = "Expired"
    EXPIRING = "Expiring"
    WRONG_NAMES = "WrongNames"
    UNTRUSTED = "Untrusted"


def authority(signer: Certificate | None, successor: Certificate | None, now: datetime) -> Step:
    """The next step of an authority's life."""
    if signer is None or now >= signer.end:
        return Step.MAKE if successor is None or now >= successor.end else Step.PROMOTE
    if successor is not None:
        return Step.PROMOTE if now >= successor.start + OVERLAP else Step.NONE
    return Step.PREPARE if now >= signer.renewal else Step.NONE


def leaf(found: Certificate | None, names: Iterable[str], trusted: bool, now: datetime) -> Why:
    """Whether a server's certificate is made anew, and why. `trusted`: one of those signed it that clients trust."""
    if found is None:
        return Why.MISSING
    if now >= found.end:
        return Why.EXPIRED
    if not set(names) <= found.names:
        return Why.WRONG_NAMES
    if not trusted:
        return Why.UNTRUSTED
    return Why.EXPIRING if now >= found.renewal else Why.FINE


def again(signer: Certificate, successor: Certificate | None, leaves: Sequence[Certificate], now: datetime) -> datetime:
    """When something may be due next: never sooner than in half a minute."""
    dates = [found.renewal for found in leaves]
    dates.append(successor.start + OVERLAP if successor else signer.renewal)
    return max(min(dates), now + SOON)
