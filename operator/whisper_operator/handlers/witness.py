"""Asking a pod of ours what keeps it from being ready: what it needs, only it knows."""

from ipaddress import ip_address

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.cluster.port import Cluster, Manifest
from whisper_operator.errors import Transient
from whisper_operator.jobs import authorities
from whisper_operator.judge import part_of, readiness
from whisper_operator.transcripts import Transcripts


class Witness:
    """Asks pods of the API and workers directly: a Service leads only to those that are ready."""

    def __init__(self, cluster: Cluster, api: Transcripts) -> None:
        self._cluster, self._api = cluster, api

    async def ask(self, cr: WhisperTranscriber, pod: Manifest) -> str:
        """What is missing, in the pod's words; "" for pods that have none, do not answer, or are ready by now."""
        part, address = part_of(pod), (pod.get("status") or {}).get("podIP")
        if part not in (Component.API, Component.WORKER) or not address:
            return ""
        host = f"[{address}]" if ip_address(address).version == 6 else address
        try:
            tls = part == Component.API and cr.spec.tls.serves
            trusted = await authorities(self._cluster, cr.namespace, cr.name) if tls else None
            way = self._api.pod(f"{host}:{names.API_PORT}", trusted)
            return readiness(await self._api.readiness(way, f"{names.api(cr.name)}.{cr.namespace}.svc"))
        except Transient:
            return ""
