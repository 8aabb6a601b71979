"""A cluster in memory, for tests and for trying things out: objects and their versions, no controllers behind them."""

import asyncio
import copy
import itertools
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from whisper_operator.cluster.port import (
    Changed,
    Kind,
    Listed,
    Manifest,
    News,
    Reached,
    Streaming,
    kind_of,
    name_of,
    version_of,
)
from whisper_operator.errors import Conflict, Rejected, Transient

Id = tuple[str, str, str]


class FakeCluster:
    """`Cluster` over a dict. `writes` lists (verb, kind, name) of every call that is a write, no-ops included; `reads`
    does so for what is asked, with "" for the name in a list.

    Server-side apply is approximated: maps merge, what we applied before and no longer apply goes away, lists are
    replaced whole.
    """

    def __init__(self, *, absent: frozenset[str] = frozenset()) -> None:
        self.writes: list[tuple[str, str, str]] = []
        self.reads: list[tuple[str, str, str]] = []
        self.rejects: dict[tuple[str, str], Exception] = {}
        self._absent = absent
        self._objects: dict[Id, Manifest] = {}
        self._applied: dict[tuple[Id, str], Manifest] = {}
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)
        self._newest = 0
        self._watchers: list[tuple[Kind, str, str, asyncio.Queue[News | None]]] = []

    def __getitem__(self, key: tuple[str, str]) -> Manifest:
        """The only object of a kind and name, whatever its namespace: `cluster["Deployment", "main-api"]`."""
        (found,) = [o for (kind, _, name), o in self._objects.items() if (kind, name) == key]
        return found

    def __contains__(self, key: tuple[str, str]) -> bool:
        return any((kind, name) == key for kind, _, name in self._objects)

    def names(self, kind: Kind) -> list[str]:
        """Names of all objects of a kind, sorted."""
        return sorted(name for found, _, name in self._objects if found == kind.name)

    def edit(self, kind: Kind, namespace: str, name: str, changes: Mapping[str, Any]) -> None:
        """What somebody else does to an object: merge `changes` into it, status included."""
        found = self._objects[kind.name, namespace, name]
        before = copy.deepcopy(found)
        _merge(found, changes)
        self._bump(found, before)

    async def serves(self, kind: Kind) -> bool:
        return kind.name not in self._absent

    async def apply(self, manifest: Manifest, *, new: bool = False) -> Manifest:
        self._log("apply", manifest)
        body = {key: value for key, value in manifest.items() if key != "status"}
        return self._apply(body, "")

    async def apply_status(self, manifest: Manifest) -> Manifest:
        self._log("apply_status", manifest)
        if self._id(manifest) not in self._objects:
            raise Rejected("NotFound", f"{manifest['kind']} {name_of(manifest)} not found")
        return self._apply({"status": manifest["status"], "metadata": manifest["metadata"]}, "status", manifest)

    async def create(self, manifest: Manifest) -> Manifest:
        self._log("create", manifest)
        if self._id(manifest) in self._objects:
            raise Conflict(f"{manifest['kind']} {name_of(manifest)} already exists")
        return self._insert(manifest)

    async def replace(self, manifest: Manifest) -> Manifest:
        self._log("replace", manifest)
        live = self._objects.get(self._id(manifest))
        if live is None:
            raise Rejected("NotFound", f"{manifest['kind']} {name_of(manifest)} not found")
        if manifest["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
            raise Conflict(f"{manifest['kind']} {name_of(manifest)} has been modified")
        new = copy.deepcopy(manifest)
        for key in ("uid", "resourceVersion", "generation", "creationTimestamp"):
            new["metadata"][key] = live["metadata"][key]
        self._objects[self._id(manifest)] = new
        self._bump(new, live)
        return copy.deepcopy(new)

    async def amend(self, manifest: Manifest) -> Manifest:
        self._log("amend", manifest)
        live = self._objects.get(self._id(manifest))
        if live is None:
            raise Rejected("NotFound", f"{manifest['kind']} {name_of(manifest)} not found")
        if manifest["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Conflict(f"{manifest['kind']} {name_of(manifest)} has been modified")
        before = copy.deepcopy(live)
        _merge(live, manifest)
        live["data"] = {key: value for key, value in live.get("data", {}).items() if value is not None}
        self._bump(live, before)
        return copy.deepcopy(live)

    async def own(self, kind: Kind, namespace: str, name: str, owners: list[Manifest]) -> None:
        self.writes.append(("own", kind.name, name))
        live = self._objects[kind.name, namespace, name]
        before = copy.deepcopy(live)
        live["metadata"]["ownerReferences"] = copy.deepcopy(owners)
        self._bump(live, before)

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        self.reads.append(("get", kind.name, name))
        return copy.deepcopy(self._objects.get((kind.name, namespace, name)))

    async def list(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None, fields: str = ""
    ) -> list[Manifest]:
        self.reads.append(("list", kind.name, ""))
        wanted = (labels or {}).items()
        return [
            copy.deepcopy(found)
            for (of, where, _), found in self._objects.items()
            if (of, where) == (kind.name, namespace)
            and wanted <= (found["metadata"].get("labels") or {}).items()
            and _selected(found, fields)
        ]

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, orphan: bool = False
    ) -> None:
        self.writes.append(("delete", kind.name, name))
        found = self._objects.get((kind.name, namespace, name))
        if found is None:
            return
        if uid not in (None, found["metadata"]["uid"]):
            raise Conflict(f"{kind.name} {name}: uid in precondition does not match")
        del self._objects[kind.name, namespace, name]
        self._tell(self._versioned(found), found, gone=True)
        for manager in ("", "status"):
            self._applied.pop(((kind.name, namespace, name), manager), None)

    def _apply(self, body: Manifest, manager: str, identity: Manifest | None = None) -> Manifest:
        key = self._id(identity or body)
        before = self._applied.get((key, manager), {})
        self._applied[key, manager] = copy.deepcopy(body)
        live = self._objects.get(key)
        if live is None:
            return self._insert(body)
        new = copy.deepcopy(live)
        _drop(new, before, body)
        _merge(new, body)
        self._objects[key] = new
        self._bump(new, live)
        return copy.deepcopy(new)

    def _insert(self, manifest: Manifest) -> Manifest:
        new = copy.deepcopy(manifest)
        new["metadata"].setdefault("uid", f"uid-{next(self._uids)}")
        new["metadata"] |= {"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        self._objects[self._id(manifest)] = new
        self._tell(self._versioned(new), None)
        return copy.deepcopy(new)

    def _bump(self, new: Manifest, old: Manifest) -> None:
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        if new != old:
            self._tell(self._versioned(new), old)

    def _versioned(self, found: Manifest) -> Manifest:
        self._newest = next(self._versions)
        found["metadata"]["resourceVersion"] = str(self._newest)
        return found

    async def watch(self, kind: Kind, namespace: str, label: str) -> AsyncGenerator[News]:
        queue: asyncio.Queue[News | None] = asyncio.Queue()
        there = [
            copy.deepcopy(found)
            for (of, where, _), found in self._objects.items()
            if of == kind.name and namespace in ("", where) and label in (found["metadata"].get("labels") or {})
        ]
        queue.put_nowait(Listed(there, self._newest))
        queue.put_nowait(Streaming(True))
        watcher = (kind, namespace, label, queue)
        self._watchers.append(watcher)
        try:
            while (news := await queue.get()) is not None:
                yield news
        finally:
            self._watchers.remove(watcher)
        raise Transient(f"watch {kind.name}: the stream broke")

    def appear(self, kind: Kind) -> None:
        """A CRD that was absent is there."""
        self._absent -= {kind.name}

    def break_watches(self) -> None:
        """End every watch, as an API server that goes away does."""
        for *_, queue in self._watchers:
            queue.put_nowait(None)

    def _tell(self, new: Manifest, old: Manifest | None, *, gone: bool = False) -> None:
        for kind, namespace, label, queue in self._watchers:
            if kind.name != new["kind"] or namespace not in ("", new["metadata"]["namespace"]):
                continue
            now, before = (label in ((m or {"metadata": {}})["metadata"].get("labels") or {}) for m in (new, old))
            if now or before:
                queue.put_nowait(Changed(copy.deepcopy(new), gone or not now))
                queue.put_nowait(Reached(version_of(new)))

    def _log(self, verb: str, manifest: Manifest) -> None:
        key = (kind_of(manifest).name, name_of(manifest))
        self.writes.append((verb, *key))
        if key in self.rejects:
            raise self.rejects[key]

    @staticmethod
    def _id(manifest: Manifest) -> Id:
        return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _merge(into: Manifest, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _drop(live: Manifest, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for key, value in before.items():
        if key not in after:
            live.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(after[key], Mapping) and isinstance(live.get(key), dict):
            _drop(live[key], value, after[key])


def _selected(found: Manifest, fields: str) -> bool:
    return all(_field(found, path) == value for path, value in _terms(fields))


def _terms(fields: str) -> Iterator[tuple[str, str]]:
    for term in filter(None, fields.split(",")):
        path, _, value = term.partition("=")
        yield path, value


def _field(found: Any, path: str) -> Any:
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
