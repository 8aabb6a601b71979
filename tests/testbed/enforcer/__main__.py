"""Watches pods, namespaces and policies, and applies what they say a moment later."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from kubernetes import client, config, watch

from testbed.enforcer.nft import script
from testbed.enforcer.table import table
from testbed.enforcer.world import Object, world

_LIFE = 300
_PAUSE = 1.0
# Changes come in crowds: those of a moment are applied together.
_MOMENT = 0.02

News = tuple[str, str, Any]
"""A kind, then LISTED with all its objects, or ADDED, MODIFIED or DELETED with one of them."""


def follow(kind: str, lister: Callable[..., Any], out: "queue.Queue[News]") -> None:
    """List a kind and watch it, for ever; whatever breaks, it is listed again."""
    while True:
        try:
            listed = json.loads(lister(_preload_content=False).data)
            out.put((kind, "LISTED", listed["items"]))
            version = listed["metadata"]["resourceVersion"]
            for event in watch.Watch().stream(lister, resource_version=version, timeout_seconds=_LIFE):
                out.put((kind, event["type"], event["raw_object"]))
        except Exception as error:
            print(f"watching {kind}: {error!r}; listing it again", file=sys.stderr, flush=True)
            time.sleep(_PAUSE)  # the API server is not there, or restarts


class Memory:
    """All objects that were told of, by kind and by namespace and name."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}

    def take(self, news: News) -> None:
        kind, what, told = news
        if what == "LISTED":
            self._objects[kind] = {_key(each): each for each in told}
        elif what == "DELETED":
            self._objects[kind].pop(_key(told), None)
        else:
            self._objects[kind][_key(told)] = told

    @property
    def whole(self) -> bool:
        """Whether every kind has been listed: half of the truth would close too much or too little."""
        return self._objects.keys() == set(self._kinds)

    def of(self, kind: str) -> list[Object]:
        return list(self._objects[kind].values())


def _key(each: Object) -> tuple[str, str]:
    return each["metadata"].get("namespace", ""), each["metadata"]["name"]


def main(kubeconfig: str, pod_cidr: str) -> None:
    """Enforce until killed."""
    api = config.new_client_from_config(kubeconfig)
    core, network = client.CoreV1Api(api), client.NetworkingV1Api(api)
    listers = {
        "pods": core.list_pod_for_all_namespaces,
        "namespaces": core.list_namespace,
        "policies": network.list_network_policy_for_all_namespaces,
    }
    news: queue.Queue[News] = queue.Queue()
    for kind, lister in listers.items():
        threading.Thread(target=follow, args=(kind, lister, news), daemon=True).start()
    memory, applied = Memory(tuple(listers)), ""
    while True:
        memory.take(news.get())
        while True:
            try:
                memory.take(news.get(timeout=_MOMENT))
            except queue.Empty:
                break
        if not memory.whole:
            continue
        wanted = script(table(world(*map(memory.of, listers))), pod_cidr)
        if wanted != applied:
            subprocess.run(["nft", "-f", "-"], input=wanted, text=True, check=True)
            applied = wanted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
