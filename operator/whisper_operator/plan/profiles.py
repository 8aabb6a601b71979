"""What kinds of nodes workers run on: the device they ask for, the taint they accept, the shared memory they need."""

from dataclasses import dataclass

from whisper_operator.api.v1alpha1.pods import PodOptions, Toleration
from whisper_operator.api.v1alpha1.workers import Workers
from whisper_operator.plan.common import Manifest

_SHARED_MEMORY = "1Gi"


@dataclass(frozen=True)
class Profile:
    """`device`: the extended resource of one device; `taint`: the key under which such nodes are kept free for it.

    Both are empty for CPUs.
    """

    device: str = ""
    taint: str = ""

    def limits(self, count: int) -> dict[str, str]:
        """What the container asks for beside memory."""
        return {self.device: str(count)} if self.device else {}

    def options(self, options: PodOptions) -> PodOptions:
        """The user's options, with the nodes' usual taint accepted unless they say something about it."""
        if not self.taint or any(toleration.key == self.taint for toleration in options.tolerations):
            return options
        accepted = Toleration(key=self.taint, operator="Exists", effect="NoSchedule")
        return options.model_copy(update={"tolerations": (*options.tolerations, accepted)})

    @property
    def mounts(self) -> dict[str, Manifest | None]:
        """torch and drivers pass data by shared memory, of which a container has 64 MiB by itself."""
        if not self.device:
            return {}
        return {"/dev/shm": {"emptyDir": {"medium": "Memory", "sizeLimit": _SHARED_MEMORY}}}  # noqa: S108


def profile(workers: Workers) -> Profile:
    """The profile that the workers have, or the one that their GPUs imply."""
    match workers.profile:
        case "nvidia":
            return Profile("nvidia.com/gpu", "nvidia.com/gpu")
        case "nvidia-mig":
            return Profile(f"nvidia.com/mig-{workers.gpu.mig if workers.gpu else ''}", "nvidia.com/gpu")
        case "amd":
            return Profile("amd.com/gpu", "amd.com/gpu")
        case "intel":
            return Profile("gpu.intel.com/i915", "gpu.intel.com/i915")
    return Profile()
