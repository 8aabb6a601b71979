"""`python -m benchmarks.controllers KUBECONFIG`: what controllers and kubelets would say, where there are none.

Every labelled StatefulSet and Deployment is ready and every Job complete as soon as it is seen. There are no pods.
"""

import asyncio
import sys
from pathlib import Path

from whisper_operator.api.names import LABEL_TRANSCRIBER
from whisper_operator.cluster.live import LiveCluster
from whisper_operator.cluster.port import DEPLOYMENT, JOB, STATEFUL_SET, Changed, Kind, Listed, Manifest, News, kind_of
from whisper_operator.errors import Rejected, Transient

AT = "2026-05-01T12:00:00Z"
DONE = [{"type": kind, "status": "True", "lastTransitionTime": AT} for kind in ("SuccessCriteriaMet", "Complete")]
COMPLETE = {"conditions": DONE, "startTime": AT, "completionTime": AT, "succeeded": 1}


def status(child: Manifest) -> Manifest:
    """What its controller would write once all is well."""
    if child["kind"] == JOB.name:
        return COMPLETE
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), child["spec"]["replicas"])
    return {**counts, "observedGeneration": child["metadata"]["generation"]}


def due(child: Manifest) -> bool:
    """Whether its status is not that yet."""
    live = child.get("status") or {}
    return any(live.get(key) != value for key, value in status(child).items() if key != "conditions")


def seen(news: News) -> list[Manifest]:
    """The objects in news that are there."""
    match news:
        case Listed(objects, _):
            return [*objects]
        case Changed(found, gone):
            return [] if gone else [found]
    return []


async def main(kubeconfig: Path) -> None:
    """Until killed."""
    cluster = await LiveCluster.connect(kubeconfig)
    turns = asyncio.Semaphore(16)
    await asyncio.gather(*(follow(cluster, kind, turns) for kind in (STATEFUL_SET, DEPLOYMENT, JOB)))


async def follow(cluster: LiveCluster, kind: Kind, turns: asyncio.Semaphore) -> None:
    """One kind."""
    async with asyncio.TaskGroup() as tasks:
        while True:
            try:
                async for news in cluster.watch(kind, "", LABEL_TRANSCRIBER):
                    for child in filter(due, seen(news)):
                        tasks.create_task(tell(cluster, child, turns))
            except Transient:
                await asyncio.sleep(1)


async def tell(cluster: LiveCluster, child: Manifest, turns: asyncio.Semaphore) -> None:
    """Write the status of one child."""
    kind, meta = kind_of(child), {key: child["metadata"][key] for key in ("name", "namespace")}
    body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "status": status(child)}
    async with turns:
        try:
            await cluster.apply_status(body)
        except Rejected as error:
            if error.reason != "NotFound":
                raise


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
