"""The migration Job: it brings the schema to this version, before any pod of this version does any work."""

import hashlib
import json

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Manifest, Observed, PlanSettings, manifest
from whisper_operator.plan.config import credentials, object_store
from whisper_operator.plan.pods import Pod, exec_probe, template
from whisper_operator.plan.tls import trust_files, trust_variables

_ENOUGH = 10000


def migrate(cr: WhisperTranscriber, settings: PlanSettings) -> Manifest:
    """The Job, named by a hash of its template: a new version is a new Job, the same one is never run again."""
    options = cr.spec.api.pod
    known = [*object_store(cr).items(), *trust_variables(cr).items()]
    plain = [{"name": str(name), "value": value} for name, value in known]
    pod = Pod(
        component=Component.MIGRATE,
        image="transcriber-api",
        account=names.api(cr.name),
        options=options.model_copy(update={"resources": None}),
        container={
            "args": ["migrate"],
            "env": [*plain, *credentials(cr)],
            # Nobody needs it to be ready: this hands on why it has to wait, if it has to.
            "readinessProbe": exec_probe(("sh", "-c", "! cat /tmp/whisper-trouble 2>/dev/null"), period=5, failures=1),
        },
        mounts={"/tmp": {"emptyDir": {}}, **trust_files(cr)},  # noqa: S108  a path in the pod
        requests={"cpu": "25m", "memory": "96Mi"},
        limits={"memory": "512Mi"},
        # Restarted in place with a growing pause, so that a database or a Secret that comes late is simply found.
        extra={"restartPolicy": "OnFailure"},
    )
    made = template(cr, settings, pod)
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:10]
    spec = {"backoffLimit": _ENOUGH, "template": made}
    return manifest("batch/v1", "Job", cr, names.migrate(cr.name, digest), Component.MIGRATE, spec=spec)


def due(cr: WhisperTranscriber, job: Manifest, observed: Observed) -> bool:
    """Whether the Job may be there: once made it stays; before that a managed database must answer.

    And the Secrets of external stores must be there: its pod could not start without, and would say so for a while
    after they have come.
    """
    if ("Job", job["metadata"]["name"]) in observed.children:
        return True
    if not _given(cr, observed):
        return False
    if cr.spec.postgres.external:
        return True
    database = observed.children.get(("StatefulSet", names.postgres(cr.name))) or {}
    return bool((database.get("status") or {}).get("readyReplicas"))


def beside(cr: WhisperTranscriber, job: Manifest, observed: Observed) -> bool:
    """Whether API and workers may start before this Job is complete: there are none, or they wait for this very Job.

    An external database is there already, so there is nothing to gain; its Secret may be wrong, and then one component
    says so, not three.
    """
    if cr.spec.postgres.external or not _given(cr, observed):
        return False
    live = observed.children.get(("Deployment", names.api(cr.name)))
    annotations = (live or {}).get("metadata", {}).get("annotations") or {}
    return live is None or annotations.get(names.MIGRATION) == job["metadata"]["name"]


def done(job: Manifest, observed: Observed) -> bool:
    """Whether this very Job is complete."""
    live = observed.children.get(("Job", job["metadata"]["name"])) or {}
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)


def _given(cr: WhisperTranscriber, observed: Observed) -> bool:
    """Whether the Secrets of external stores are there."""
    stores = (cr.spec.postgres.external, cr.spec.redis.external, cr.spec.objects.external)
    yours = {store.secret_ref.name for store in stores if store}
    named = (variable["valueFrom"]["secretKeyRef"] for variable in credentials(cr))
    return all(observed.values.get(ref["name"], {}).get(ref["key"]) for ref in named if ref["name"] in yours)
