"""The cluster as one look at one custom resource sees it: what is watched is not asked for."""

from collections.abc import AsyncIterator, Callable, Mapping

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.mirror import Mirror, trimmed
from whisper_operator.cluster.port import EVENT, SECRET, Cluster, Kind, Manifest, News, kind_of, name_of
from whisper_operator.errors import Rejected, Stale


class View:
    """`Cluster` for one look at one resource (kind, namespace, name).

    Children come from the mirror while their watch lives, else from the API server. The resource and Secrets (which
    are not watched) come from memory, unless the look is `fresh`; then they are read anew. Nothing is written once the
    resource is known to be another than this look began with; one that is not fresh reads it before its first write,
    however lately it was heard of: a deletion may have been missed. Events are handed to `tell`, to be sent in time.

    Raises beyond `Cluster`: Stale, from a write, when the resource is not what this look was told.
    """

    def __init__(
        self,
        cluster: Cluster,
        mirror: Mirror,
        tell: Callable[[Manifest], None],
        resource: tuple[Kind, str, str],
        *,
        fresh: bool,
    ) -> None:
        self._cluster, self._mirror, self._tell = cluster, mirror, tell
        (self._kind, self._namespace, self._name), self._fresh = resource, fresh
        self._sure_of_it = fresh
        self._looked: tuple[object, ...] | None = None

    async def serves(self, kind: Kind) -> bool:
        shelf = self._mirror.shelf(kind, self._namespace)
        return await self._cluster.serves(kind) if shelf is None else shelf.served

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        if (kind, namespace, name) == (self._kind, self._namespace, self._name):
            found = await self._refreshed() if self._fresh else self._mirror.resource(kind, namespace, name)
            self._looked = _identity(found)
            return found
        if kind == SECRET:
            return await self._secret(namespace, name)
        if kind.api_version == self._kind.api_version:
            return self._mirror.resource(kind, namespace, name)
        return await self._cluster.get(kind, namespace, name)

    def watch(self, kind: Kind, namespace: str, label: str) -> AsyncIterator[News]:
        return self._cluster.watch(kind, namespace, label)

    async def apply(self, manifest: Manifest, *, new: bool = False) -> Manifest:
        await self._sure()
        return self._folded(await self._cluster.apply(manifest, new=new))

    async def apply_status(self, manifest: Manifest) -> Manifest:
        kind, where = kind_of(manifest), manifest["metadata"]["namespace"]
        try:
            found = await self._cluster.apply_status(manifest)
        except Rejected as error:
            if error.reason == "NotFound":
                self._mirror.forget(kind, where, name_of(manifest))
            raise
        self._mirror.fold(kind, found)
        return found

    async def create(self, manifest: Manifest) -> Manifest:
        kind = kind_of(manifest)
        if kind == EVENT:
            self._tell(manifest)
            return manifest
        await self._sure()
        found = await self._cluster.create(manifest)
        if kind == SECRET:
            self._remember(found)
        return self._folded(found)

    async def replace(self, manifest: Manifest) -> Manifest:
        await self._sure()
        return self._folded(await self._cluster.replace(manifest))

    async def amend(self, manifest: Manifest) -> Manifest:
        await self._sure()
        self._secrets.pop(name_of(manifest), None)  # should it fail, what is remembered is not so
        found = await self._cluster.amend(manifest)
        if kind_of(manifest) == SECRET:
            self._remember(found)
        return self._folded(found)

    async def own(self, kind: Kind, namespace: str, name: str, owners: list[Manifest]) -> None:
        await self._sure()
        self._secrets.pop(name, None)
        await self._cluster.own(kind, namespace, name, owners)

    async def list(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None, fields: str = ""
    ) -> list[Manifest]:
        shelf = self._mirror.shelf(kind, namespace)
        if shelf is not None and not shelf.served:
            return []
        if shelf is not None and shelf.live and not fields and set(labels or ()) == {LABEL_TRANSCRIBER}:
            return shelf.of(namespace, (labels or {})[LABEL_TRANSCRIBER])
        return await self._cluster.list(kind, namespace, labels, fields)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, orphan: bool = False
    ) -> None:
        if kind != self._kind:  # of its own kind there is only the resource itself, and that by uid
            await self._sure()
        await self._cluster.delete(kind, namespace, name, uid=uid, orphan=orphan)

    async def _sure(self) -> None:
        where = (self._kind, self._namespace, self._name)
        if not self._sure_of_it:
            await self._refreshed()
        self._sure_of_it = True
        known = self._mirror.resource(*where)
        # A fresh look may be ahead of the mirror: one of another uid is there, and kopf has yet to tell of it.
        if _identity(known) != self._looked and not (known is None and self._fresh):
            raise Stale(f"{self._kind.name} {self._namespace}/{self._name} has changed meanwhile")

    async def _refreshed(self) -> Manifest | None:
        where = (self._kind, self._namespace, self._name)
        found = await self._cluster.get(*where)
        if found is None or self._replaced(found):
            self._mirror.forget(*where)
        else:
            self._mirror.fold(self._kind, found)
        return found

    def _replaced(self, found: Manifest) -> bool:
        old = self._mirror.resource(self._kind, self._namespace, self._name)
        return old is not None and old["metadata"]["uid"] != found["metadata"]["uid"]

    async def _secret(self, namespace: str, name: str) -> Manifest | None:
        """Only what is there is remembered: that something is missing must be seen to end."""
        known = None if self._fresh else self._secrets.get(name)
        if known is not None:
            return known
        found = await self._cluster.get(SECRET, namespace, name)
        if found is None:
            self._secrets.pop(name, None)
        else:
            self._remember(found)
        return found

    def _remember(self, secret: Manifest) -> None:
        self._secrets[name_of(secret)] = trimmed(secret)

    @property
    def _secrets(self) -> dict[str, Manifest]:
        return self._mirror.secrets.setdefault((self._namespace, self._name), {})

    def _folded(self, found: Manifest) -> Manifest:
        shelf = self._mirror.shelf(kind_of(found), found["metadata"]["namespace"])
        if shelf is not None and LABEL_TRANSCRIBER in (found["metadata"].get("labels") or {}):
            shelf.fold(found)
        return found


def _identity(found: Manifest | None) -> tuple[object, ...]:
    """What a look depends on: which resource it is, its spec (by generation), and that nobody deletes it."""
    meta = (found or {"metadata": {}})["metadata"]
    return tuple(meta.get(key) for key in ("uid", "generation", "deletionTimestamp"))
