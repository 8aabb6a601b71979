"""The real cluster. The only module that imports the Kubernetes client."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import getproxies

import aiohttp
import orjson
from kubernetes.aio import client, config

from whisper_operator.cluster import watching
from whisper_operator.cluster.port import Kind, Manifest, News, kind_of, name_of
from whisper_operator.errors import Conflict, Immutable, Rejected, Transient, WebhookFailed
from whisper_operator.metrics import API_CALLS

FIELD_MANAGER = "whisper-operator"
TIMEOUT = 30.0
PAGE = 500
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class LiveCluster:
    """`Cluster` over the official client. Each kind is looked up once: a crowd of first discoveries costs minutes."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._paths: dict[Kind, str] = {}
        self._lookup = asyncio.Lock()

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, connections: int = 32) -> "LiveCluster":
        """From `kubeconfig`, else the pod's service account, else KUBECONFIG or ~/.kube/config."""
        configuration = client.Configuration()
        if kubeconfig is not None:
            await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
        else:
            try:
                config.load_incluster_config(client_configuration=configuration)
            except config.ConfigException:
                await config.load_kube_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = connections
        # Where it minds the environment, aiohttp looks for a .netrc before each request, in a thread.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        return cls(client.ApiClient(configuration))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def serves(self, kind: Kind) -> bool:
        return await self._path(kind) is not None

    async def apply(self, manifest: Manifest, *, new: bool = False) -> Manifest:
        """What is `new` is created, which costs the API server half of an apply; its fields are then held as by an
        update, and are handed over at the next apply: an apply never takes away a field that an update holds too.
        """
        if new:
            with suppress(Conflict):
                return await self._create(manifest, {"fieldValidation": "Strict"})
        found = await self._patch(manifest, "")
        fields = handed_over(found["metadata"].get("managedFields") or ())
        if fields is None:
            return found
        try:
            meta = {"managedFields": fields, "resourceVersion": found["metadata"]["resourceVersion"]}
            await self._merge(kind_of(manifest), manifest["metadata"]["namespace"], name_of(manifest), meta)
        except Conflict as error:
            raise Transient(str(error)) from error
        return await self._patch(manifest, "")

    async def apply_status(self, manifest: Manifest) -> Manifest:
        return await self._patch(manifest, "/status")

    async def create(self, manifest: Manifest) -> Manifest:
        return await self._create(manifest, {})

    async def replace(self, manifest: Manifest) -> Manifest:
        kind, meta = kind_of(manifest), manifest["metadata"]
        path = f"{await self._collection(kind, meta['namespace'])}/{quote(meta['name'])}"
        return await self._call("update", kind, "PUT", path, {"fieldManager": FIELD_MANAGER}, manifest)

    async def amend(self, manifest: Manifest) -> Manifest:
        kind, meta = kind_of(manifest), manifest["metadata"]
        path = f"{await self._collection(kind, meta['namespace'])}/{quote(meta['name'])}"
        return await self._call("patch", kind, "PATCH", path, {"fieldManager": FIELD_MANAGER}, manifest, MERGE)

    async def own(self, kind: Kind, namespace: str, name: str, owners: list[Manifest]) -> None:
        await self._merge(kind, namespace, name, {"ownerReferences": owners})

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        if not await self.serves(kind):
            return None
        path = f"{await self._collection(kind, namespace)}/{quote(name)}"
        try:
            return await self._call("get", kind, "GET", path, {})
        except Rejected as error:
            if error.reason == "NotFound":
                return None
            raise

    async def list(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None, fields: str = ""
    ) -> list[Manifest]:
        if not await self.serves(kind):
            return []
        query = {}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        if fields:
            query["fieldSelector"] = fields
        pages = [page async for page in self._pages(kind, namespace, query)]
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for page in pages for item in page["items"]]

    def watch(self, kind: Kind, namespace: str, label: str) -> AsyncIterator[News]:
        return watching.watch(
            kind, label, partial(self._pages, kind, namespace), partial(self._stream, kind, namespace)
        )

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str | None = None, orphan: bool = False
    ) -> None:
        path = f"{await self._collection(kind, namespace)}/{quote(name)}"
        options: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._call("delete", kind, "DELETE", path, {}, options)
        except Rejected as error:
            if error.reason != "NotFound":
                raise

    async def _create(self, manifest: Manifest, query: Mapping[str, str]) -> Manifest:
        kind = kind_of(manifest)
        path = await self._collection(kind, manifest["metadata"]["namespace"])
        return await self._call("create", kind, "POST", path, {"fieldManager": FIELD_MANAGER, **query}, manifest)

    async def _merge(self, kind: Kind, namespace: str, name: str, meta: Manifest) -> None:
        path = f"{await self._collection(kind, namespace)}/{quote(name)}"
        body = {"metadata": meta}
        await self._call("patch", kind, "PATCH", path, {"fieldManager": FIELD_MANAGER}, body, MERGE)

    async def _patch(self, manifest: Manifest, subresource: str) -> Manifest:
        kind, meta = kind_of(manifest), manifest["metadata"]
        path = f"{await self._collection(kind, meta['namespace'])}/{quote(meta['name'])}{subresource}"
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call("apply", kind, "PATCH", path, query, manifest, APPLY)

    async def _pages(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> AsyncIterator[Manifest]:
        path, more = await self._collection(kind, namespace), {"limit": str(PAGE)}
        while True:
            page = await self._call("list", kind, "GET", path, {**query, **more})
            yield page
            if not page["metadata"].get("continue"):
                return
            more["continue"] = page["metadata"]["continue"]

    async def _stream(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        path = await self._collection(kind, namespace)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=watching.SILENCE)
        async with self._answer("watch", kind, "GET", path, query, patience=patience) as answer:
            yield b""
            try:
                async for chunk in answer.response.content.iter_any():
                    yield chunk
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Transient(f"watch {kind.name}: the stream broke: {error!r}") from error

    async def _collection(self, kind: Kind, namespace: str) -> str:
        """The path of a kind's objects in a namespace, or everywhere if that is empty."""
        path = await self._path(kind)
        if path is None:
            raise Transient(f"the API server does not serve {kind.name} ({kind.api_version}) yet")
        return path.format(namespace=f"/namespaces/{quote(namespace)}" if namespace else "")

    async def _path(self, kind: Kind) -> str | None:
        if kind in self._paths:
            return self._paths[kind]
        async with self._lookup:
            if kind not in self._paths:
                root = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
                try:
                    served = await self._call("discover", kind, "GET", root, {})
                except Rejected as error:
                    if error.reason == "NotFound":
                        return None
                    raise
                for resource in served["resources"]:
                    if "/" not in resource["name"]:
                        scope = "{namespace}" if resource["namespaced"] else ""
                        found = Kind(kind.api_version, resource["kind"])
                        self._paths[found] = f"{root}{scope}/{resource['name']}"
        return self._paths.get(kind)

    async def _call(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        async with self._answer(verb, kind, method, path, query, body, content_type) as answer:
            decoded: Manifest = orjson.loads(await answer.read())
        return decoded

    @asynccontextmanager
    async def _answer(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Manifest | None = None,
        content_type: str = "application/json",
        patience: Any = TIMEOUT,
    ) -> AsyncIterator[Any]:
        """The client's answer to one call, to be read in the block; a refusal is raised."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        status, answer = 0, None
        try:
            auth = (await self._api.configuration.auth_settings()).get("BearerToken")
            if auth:
                headers[auth["key"]] = auth["value"]
            url = f"{self._api.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
            answer = await self._api.call_api(method, url, headers, body, _request_timeout=patience)
            if answer.status >= 300:
                raise refusal(answer.status, await answer.read(), f"{verb} {kind.name}")
            if verb != "watch":
                await answer.read()
        except client.ApiException as error:  # what the client itself gives up on: throttled for too long
            status = error.status or 0
            raise Transient(f"{verb} {kind.name}: {error.status} {error.reason}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"{verb} {kind.name}: the API server did not answer: {error!r}") from error
        finally:
            API_CALLS.labels(verb, kind.name, str(answer.status if answer is not None else status)).inc()
        try:
            yield answer
        finally:
            answer.response.close() if verb == "watch" else answer.response.release()


def handed_over(entries: Sequence[Manifest]) -> list[Manifest] | None:
    """An object's managedFields with what our creating it holds as what our applying holds; None if it holds nothing.

    As k8s.io/client-go/util/csaupgrade does it for kubectl.
    """
    ours = [entry for entry in entries if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")]
    created = [entry for entry in ours if entry["operation"] == "Update"]
    if not created:
        return None
    held: Manifest = {}
    for entry in ours:
        _unite(held, entry.get("fieldsV1") or {})
    others = [entry for entry in entries if entry not in ours]
    return [*others, {**ours[-1], "operation": "Apply", "fieldsV1": held}]


def _unite(into: Manifest, fields: Manifest) -> None:
    for key, value in fields.items():
        _unite(into.setdefault(key, {}), value)


def refusal(status: int, body: bytes, what: str) -> Exception:
    """The error for an HTTP status and the API server's Status object (or whatever a proxy in between said)."""
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = {}
    said = decoded if isinstance(decoded, dict) else {}
    reason, message = said.get("reason", ""), said.get("message", body[:200].decode(errors="replace"))
    if status == 404:  # also the plain text that an unknown group gets
        return Rejected("NotFound", message)
    if status == 409:
        return Conflict(message)
    if status >= 500 and "failed calling webhook" in message:
        return WebhookFailed(message)
    if status >= 500 and "failed to create typed" in message:  # so the API server calls a field that no schema has
        return Rejected("Invalid", message)
    if status in (401, 408, 429) or status >= 500:
        return Transient(f"{what}: {status} {message}")
    if status == 403 and "exceeded quota" in message:
        return Rejected("QuotaExceeded", message)
    if status == 403 and "being terminated" in message:
        return Transient(message)
    if status == 422 and ("field is immutable" in message or "updates to statefulset spec" in message):
        return Immutable(message)
    return Rejected(reason or f"Http{status}", message)
