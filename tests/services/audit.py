"""The API server's audit log: who wrote what. Reads are not in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Write:
    """One answered call that writes. `made`: an object came into being by it."""

    when: datetime
    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    made: bool


def writes(kubeconfig: Path) -> Iterator[Write]:
    """Every write so far at the light control plane with this kubeconfig, but for the API server's own."""
    for line in (kubeconfig.parent / "audit.log").read_text().splitlines():
        found = _write(json.loads(line))
        if found.user != "system:apiserver":
            yield found


def _write(event: dict[str, Any]) -> Write:
    about = event.get("objectRef") or {}
    status = about.get("subresource", "")
    return Write(
        when=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        user=event["user"]["username"],
        verb=event["verb"],
        resource="/".join(filter(None, (about.get("resource", ""), status))),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        made=event.get("responseStatus", {}).get("code") == 201,
    )
