"""What volume claims tell."""

from whisper_operator.cluster.port import Manifest, name_of
from whisper_operator.judge.scene import Component, Verdict, newest


def claims(component: Component) -> Verdict | None:
    """The first claim that has no volume."""
    return next((verdict for claim in component.claims if (verdict := _claim(claim, component))), None)


def _claim(claim: Manifest, component: Component) -> Verdict | None:
    phase = (claim.get("status") or {}).get("phase")
    if phase == "Bound":
        return None
    name, wanted = name_of(claim), (claim.get("spec") or {}).get("storageClassName")
    if phase == "Lost":
        return Verdict("VolumeLost", f"The volume behind PersistentVolumeClaim {name} is gone.", stalled=True)
    if wanted is None:
        return Verdict(
            "StorageClassNotFound",
            f"PersistentVolumeClaim {name} waits: the cluster has no default StorageClass. "
            f"Make one the default, or name one in {_field(component)}.",
            stalled=True,
        )
    event = newest(component.events, claim["metadata"]["uid"])
    said = str((event or {}).get("note") or "")
    if "storageclass" in said.lower() and "not found" in said:
        return Verdict(
            "StorageClassNotFound",
            f"PersistentVolumeClaim {name} waits: there is no StorageClass {wanted!r} ({said}). "
            f"Create it, or delete the claim and name another one in {_field(component)}.",
            stalled=True,
        )
    # Two who write the same claim at once is no fault: whoever came too late tries again at once.
    if (event or {}).get("type") == "Warning" and "the object has been modified" not in said:
        return Verdict(
            "VolumePending", f"PersistentVolumeClaim {name} (StorageClass {wanted!r}) waits: {said}", stalled=True
        )
    return Verdict("VolumePending", f"PersistentVolumeClaim {name} (StorageClass {wanted!r}) waits for its volume.")


def _field(component: Component) -> str:
    labels = (component.planned or {}).get("metadata", {}).get("labels", {})
    part = labels.get("app.kubernetes.io/component", "<component>")
    return "spec.workers.modelCache.storageClassName" if part == "worker" else f"spec.{part}.managed.storageClassName"
