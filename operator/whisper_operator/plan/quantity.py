"""Kubernetes quantities, as far as the plan must compare them."""

import re
from decimal import Decimal

from whisper_operator.api.v1alpha1.base import QUANTITY

_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def parse(text: str) -> Decimal:
    """The number behind `500m`, `2Gi` or `1.5`. Raises: ValueError."""
    found = re.match(QUANTITY, text)
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(found[1]) * _SUFFIXES[found[3] or ""]
