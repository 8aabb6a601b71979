"""What pods tell: images, scheduling, memory, crashes. Each check names the pod and says what to do."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from whisper_operator.cluster.port import Manifest, name_of
from whisper_operator.judge.mounts import unmounted
from whisper_operator.judge.scene import Check, Component, Verdict, newest
from whisper_operator.judge.words import known, tail

PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
# An extended resource, such as a GPU, that no node has left.
_LACKING = re.compile(r"Insufficient ([a-z0-9.-]+/[A-Za-z0-9._-]+)")
_PROBE_FAILED = "Readiness probe failed"
CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"})


class Container(NamedTuple):
    """One container's status in one pod."""

    pod: Manifest
    status: dict[str, Any]

    @property
    def waiting(self) -> dict[str, Any]:
        waiting: dict[str, Any] = (self.status.get("state") or {}).get("waiting") or {}
        return waiting

    @property
    def ended(self) -> dict[str, Any]:
        """How it last ended, whether or not it runs again."""
        for when in ("state", "lastState"):
            terminated: dict[str, Any] | None = (self.status.get(when) or {}).get("terminated")
            if terminated:
                return terminated
        return {}

    @property
    def logs(self) -> str:
        meta = self.pod["metadata"]
        container = self.status["name"]
        return f"kubectl logs {meta['name']} --container {container} --namespace {meta['namespace']} --previous"


def image_pull(container: Container) -> Verdict | None:
    """An image that the node cannot get."""
    if container.waiting.get("reason") not in PULL:
        return None
    said = container.waiting.get("message") or container.waiting["reason"]
    return Verdict(
        "ImagePullFailed",
        f"Pod {name_of(container.pod)} cannot pull image {_image(container)}: {said}. "
        "Correct the image, or name its registry's credentials in spec.images.pullSecrets.",
        stalled=True,
    )


def container_config(container: Container) -> Verdict | None:
    """A container that cannot be made: a Secret or ConfigMap it names is missing, or its settings make no sense."""
    if container.waiting.get("reason") not in CONFIG:
        return None
    said = container.waiting.get("message") or container.waiting["reason"]
    keyless = "couldn't find key" in said and "in Secret" in said
    missing = "SecretNotFound" if said.startswith('secret "') else "ContainerCannotStart"
    return Verdict(
        "SecretIncomplete" if keyless else missing,
        f"Container {container.status['name']} of pod {name_of(container.pod)} cannot start: {said}.",
        stalled=True,
    )


def out_of_memory(container: Container) -> Verdict | None:
    """A container that the kernel killed for its memory and that has not become ready since."""
    if container.status.get("ready") or container.ended.get("reason") != "OOMKilled":
        return None
    return Verdict(
        "OutOfMemory",
        f"Container {container.status['name']} of pod {name_of(container.pod)} was killed for using more memory than "
        f"its limit{_limit(container)}. Raise resources.limits.memory of this component, or choose a smaller model.",
        stalled=True,
    )


def crash(container: Container) -> Verdict | None:
    """A container that ends again and again; or once, if its last words are known."""
    ended = container.ended
    words = str(ended.get("message") or "")
    backing_off = container.waiting.get("reason") == "CrashLoopBackOff"
    again = int(container.status.get("restartCount") or 0) >= 2 or known(words) is not None
    if container.status.get("ready") or not (backing_off or (again and bool(ended.get("exitCode")))):
        return None
    trouble, said = known(words), f": {tail(words)}" if words.strip() else ""
    advice = f"{trouble.advice} " if trouble else ""
    return Verdict(
        trouble.reason if trouble else "CrashLooping",
        f"Container {container.status['name']} of pod {name_of(container.pod)} ended with exit code "
        f"{ended.get('exitCode', 'unknown')} after {container.status.get('restartCount', 0)} restarts{said}. "
        f"{advice}Its last words: {container.logs}",
        stalled=True,
    )


def unschedulable(component: Component) -> Verdict | None:
    """A pod that fits on no node."""
    for pod in component.pods:
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                device = _LACKING.search(condition.get("message", ""))
                if device:
                    return Verdict(
                        "NoFreeGpu",
                        f"No node has enough free {device[1]} for pod {name_of(pod)}: {condition['message']} "
                        "It starts once one has; or lower spec.workers.replicas, autoscaling.max or gpu.count.",
                        stalled=True,
                    )
                return Verdict(
                    "Unschedulable",
                    f"No node takes pod {name_of(pod)}: {condition.get('message', '')} "
                    "Add a node that fits, or lower the component's resources, nodeSelector or affinity.",
                    stalled=True,
                )
    return None


def unready(component: Component) -> Verdict | None:
    """A container that runs, and says itself or by its probe what keeps it from being ready."""
    for pod in component.pods:
        said = _said(component, pod)
        trouble = known(said)
        for container in _of(pod):
            if trouble and _waits(container):
                what = f"Container {container.status['name']} of pod {name_of(pod)} is not ready: {said}."
                return Verdict(trouble.reason, f"{what} {trouble.advice}", stalled=True)
    return None


def evicted(component: Component) -> Verdict | None:
    """A pod that the node threw out."""
    for pod in component.pods:
        status = pod.get("status") or {}
        if status.get("phase") == "Failed" and status.get("reason"):
            return Verdict(
                "PodEvicted", f"Pod {name_of(pod)} was stopped by its node: {status['reason']}: {status.get('message')}"
            )
    return None


def not_ready(component: Component) -> Verdict | None:
    """A pod that runs, but whose probe does not succeed yet; or one that still starts."""
    for pod in component.pods:
        for container in _of(pod):
            if container.status.get("ready") or container.ended.get("exitCode") == 0:
                continue
            running = "running" in (container.status.get("state") or {})
            said = _said(component, pod) if running else ""
            does = "runs, but does not answer its probe yet" if running else "is starting"
            what = f"Container {container.status['name']} of pod {name_of(pod)} {does}"
            return Verdict("Progressing", f"{what}: {said}" if said else f"{what}.")
    return None


def silent(pods: Sequence[Manifest], now: datetime, patience: float) -> list[Manifest]:
    """The pods with a container that is not ready, and runs for more than `patience` seconds or not the first time."""

    def late(container: Container) -> bool:
        return bool(container.status.get("restartCount")) or _age(container, now) > patience

    return [pod for pod in pods if any(_waits(c) and late(c) for c in _of(pod))]


def _waits(container: Container) -> bool:
    """A container that runs and is not ready."""
    running = (container.status.get("state") or {}).get("running")
    return running is not None and not container.status.get("ready")


def _age(container: Container, now: datetime) -> float:
    started = ((container.status.get("state") or {}).get("running") or {}).get("startedAt")
    return (now - datetime.fromisoformat(started)) / timedelta(seconds=1) if started else 0.0


def _said(component: Component, pod: Manifest) -> str:
    """What a pod answered to the question why it is not ready; else what its readiness probe got to hear last."""
    uid = pod["metadata"].get("uid", "")
    failed = [event for event in component.events if str(event.get("note") or "").startswith(_PROBE_FAILED)]
    last = newest(failed, uid) or {}
    heard = str(last.get("note") or "").removeprefix(_PROBE_FAILED).strip(": ")
    return tail(component.answers.get(uid) or heard)


def each(check: Callable[[Container], Verdict | None]) -> Check:
    """A check of containers as a check of a component: the first pod's first complaint."""

    def run(component: Component) -> Verdict | None:
        containers = (container for pod in component.pods for container in _of(pod))
        return next((verdict for container in containers if (verdict := check(container))), None)

    return run


FAULTS: Sequence[Check] = (
    each(image_pull),
    each(container_config),
    unmounted,
    unschedulable,
    each(out_of_memory),
    each(crash),
    evicted,
    unready,
)


def _of(pod: Manifest) -> Iterator[Container]:
    if pod["metadata"].get("deletionTimestamp"):
        return
    status = pod.get("status") or {}
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or ():
            yield Container(pod, container)


def _spec(container: Container) -> dict[str, Any]:
    spec = container.pod.get("spec") or {}
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found: dict[str, Any] = next((c for c in every if c["name"] == container.status["name"]), {})
    return found


def _image(container: Container) -> str:
    return str(_spec(container).get("image") or container.status.get("image"))


def _limit(container: Container) -> str:
    limit = ((_spec(container).get("resources") or {}).get("limits") or {}).get("memory")
    return f" ({limit})" if limit else ""
