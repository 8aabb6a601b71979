"""What watches told: the children of every transcriber, and the custom resources themselves.

Versions decide, never the order in which things are heard: an answer to a write of ours may come before or after the
watch tells of it, and of what happened next.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.port import Changed, Kind, Listed, Manifest, News, Reached, Streaming, name_of, version_of

Key = tuple[str, str]
"""Namespace and name."""


class Kept(NamedTuple):
    """An object as it is kept: as text, for as dicts the 40 000 of a thousand transcribers take five times as much."""

    version: int
    owner: Key
    text: bytes


class Shelf:
    """The objects that one watch tells of. While it is not `live`, changes may have been missed: ask the cluster.

    What is not `served` (its CRD is missing) has no objects.
    """

    def __init__(self, *, served: bool = True) -> None:
        self.live, self.served = False, served
        self._version = 0
        self._objects: dict[Key, Kept] = {}
        self._owned: dict[Key, set[str]] = {}

    def of(self, namespace: str, transcriber: str) -> list[Manifest]:
        """The objects that carry a transcriber's label, by name."""
        names = sorted(self._owned.get((namespace, transcriber), ()))
        return [orjson.loads(self._objects[namespace, name].text) for name in names]

    def hear(self, news: News) -> set[Key]:
        """Take news in. Returns the transcribers for whom something is new."""
        match news:
            case Listed(objects, version):
                return self._replace(objects, version)
            case Changed(found, gone):
                return self._drop(found) if gone else self._put(found)
            case Reached(version):
                self._version = max(self._version, version)
            case Streaming(is_open):
                self.live = is_open
        return set()

    def fold(self, found: Manifest) -> None:
        """Take in the answer to a write of ours, unless the watch is past it already."""
        if version_of(found) > self._version:
            self._put(found)

    def _replace(self, objects: Sequence[Manifest], version: int) -> set[Key]:
        there = {_key(found) for found in objects}
        # Versions only go back where etcd was restored from a backup: then nothing that was told before counts.
        restored = version < self._version
        gone = [
            key for key, kept in self._objects.items() if restored or (key not in there and kept.version <= version)
        ]
        self._version = version
        return _union([*(self._remove(key) for key in gone), *(self._put(found) for found in objects)])

    def _put(self, found: Manifest) -> set[Key]:
        key, version, owner = _key(found), version_of(found), _owner(found)
        old = self._objects.get(key)
        if old is not None and old.version >= version:
            return set()
        before = self._remove(key) if old is not None else set()
        self._objects[key] = Kept(version, owner, orjson.dumps(trimmed(found)))
        self._owned.setdefault(owner, set()).add(name_of(found))
        return {owner} | before

    def _drop(self, found: Manifest) -> set[Key]:
        old = self._objects.get(_key(found))
        if old is None or old.version > version_of(found):
            return set()
        return self._remove(_key(found))

    def _remove(self, key: Key) -> set[Key]:
        owner = self._objects.pop(key).owner
        self._owned[owner].discard(key[1])
        if not self._owned[owner]:
            del self._owned[owner]
        return {owner}


class Mirror:
    """A shelf for each watch, the custom resources by kind, and the Secrets that looks have read, by transcriber."""

    def __init__(self, kinds: Iterable[Kind], namespaces: Sequence[str], optional: Iterable[Kind] = ()) -> None:
        self.shelves = {(kind, where): Shelf() for kind in kinds for where in (namespaces or [""])}
        self.shelves |= {(kind, where): Shelf(served=False) for kind in optional for where in (namespaces or [""])}
        self.secrets: dict[Key, dict[str, Manifest]] = {}
        self._resources: dict[tuple[Kind, str, str], Manifest] = {}

    def shelf(self, kind: Kind, namespace: str) -> Shelf | None:
        """Where the objects of a kind in a namespace are, if they are watched."""
        return self.shelves.get((kind, namespace)) or self.shelves.get((kind, ""))

    def resources(self, kind: Kind) -> list[Key]:
        """Where the custom resources of a kind are."""
        return [(namespace, name) for of, namespace, name in self._resources if of == kind]

    def resource(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """A custom resource as last heard of."""
        return self._resources.get((kind, namespace, name))

    def hear(self, kind: Kind, found: Manifest) -> None:
        """A custom resource as it was at some time."""
        key = (kind, *_key(found))
        old = self._resources.get(key)
        if old is None or version_of(old) < version_of(found):
            self._resources[key] = trimmed(found)

    def fold(self, kind: Kind, found: Manifest) -> None:
        """The answer to a write of ours: news of a resource that we know, never of one that has gone meanwhile."""
        old = self.resource(kind, *_key(found))
        if old is not None and old["metadata"]["uid"] == found["metadata"]["uid"]:
            self.hear(kind, found)

    def doubt(self, owners: Iterable[Key], secret: str) -> None:
        """Somebody else may just have written a Secret of these transcribers: their next look reads it anew."""
        for owner in owners:
            self.secrets.get(owner, {}).pop(secret, None)

    def forget(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """A custom resource is gone (with `uid`: that very one)."""
        old = self.resource(kind, namespace, name)
        if old is not None and uid in (None, old["metadata"]["uid"]):
            del self._resources[kind, namespace, name]
            self.secrets.pop((namespace, name), None)


def trimmed(found: Manifest) -> Manifest:
    """An object without who set which field, often half of it, which nobody reads."""
    if "managedFields" not in found["metadata"]:
        return found
    meta = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": meta}


def _key(found: Manifest) -> Key:
    return found["metadata"]["namespace"], name_of(found)


def _owner(found: Manifest) -> Key:
    return found["metadata"]["namespace"], found["metadata"]["labels"][LABEL_TRANSCRIBER]


def _union(sets: Iterable[set[Key]]) -> set[Key]:
    return {key for some in sets for key in some}
