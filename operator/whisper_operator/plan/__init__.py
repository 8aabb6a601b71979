"""From a resource and what there is to the manifests that should be: pure, but for the dice behind new passwords."""

from secrets import token_hex

from whisper_operator.api import names
from whisper_operator.api.names import Component
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.accounts import accounts
from whisper_operator.plan.api import api, api_service
from whisper_operator.plan.common import Manifest, Observed, PlanSettings
from whisper_operator.plan.config import config_map
from whisper_operator.plan.ingress import ingress
from whisper_operator.plan.migrate import beside, done, due, migrate
from whisper_operator.plan.monitors import monitors
from whisper_operator.plan.network import network
from whisper_operator.plan.objects import objects
from whisper_operator.plan.postgres import postgres
from whisper_operator.plan.redis import redis
from whisper_operator.plan.rollout import named, stamped
from whisper_operator.plan.scalers import scalers
from whisper_operator.plan.secrets import Rng, generate, keyring, lost
from whisper_operator.plan.tls import trust_bundle
from whisper_operator.plan.worker import worker

__all__ = ["Manifest", "Observed", "PlanSettings", "Rng", "desired", "generate", "keyring", "lost", "named"]


def desired(cr: WhisperTranscriber, observed: Observed, settings: PlanSettings, rng: Rng = token_hex) -> list[Manifest]:
    """Every child that should be there now, in the order to apply them.

    Secrets are in it only while `observed` has none of their name. The migration Job is in it once the database
    answers. On an upgrade, API and workers are in it once that Job is complete: the pods that run stay as they are
    meanwhile, and so does what they live by; the same while a Secret is missing. At first nothing runs, and pods start
    beside their stores: they have images and models to fetch, and wait for the schema themselves. Where a server has
    no certificate yet, nothing that would need it is changed.
    """
    job = migrate(cr, settings)
    live = observed.children.get(("Deployment", names.api(cr.name)))
    runs, migrated = live is not None, done(job, observed)
    ready = (migrated or beside(cr, job, observed)) and not (observed.incomplete and runs)
    # Scalers ask the API for the number of workers, and guess where it has never answered.
    answers = migrated or bool((live or {}).get("status", {}).get("readyReplicas"))
    there = {*observed.secrets, lost(cr, observed.secrets, observed.children)}
    made = [secret for secret in generate(cr, rng) if secret["metadata"]["name"] not in there]
    if observed.uncertified:
        return [*accounts(cr), *made, *trust_bundle(cr, observed)]
    plan = [
        *accounts(cr),
        config_map(cr),
        *network(cr, observed, settings),
        *made,
        *trust_bundle(cr, observed),
        *postgres(cr, observed, settings),
        *redis(cr, observed, settings),
        *objects(cr, observed, settings),
        api_service(cr),
        *ingress(cr),
        *monitors(cr, observed),
        *([job] if due(cr, job, observed) else []),
        *([*api(cr, observed, settings, job["metadata"]["name"]), *worker(cr, observed, settings)] if ready else []),
        *(scalers(cr, observed) if ready and answers else []),
    ]
    if runs and not ready:
        plan = [m for m in plan if not _lived_by(cr, m, observed)]
    values = {**observed.values, **{secret["metadata"]["name"]: secret["data"] for secret in made}}
    return stamped(cr, plan, values, observed)


def _lived_by(cr: WhisperTranscriber, manifest: Manifest, observed: Observed) -> bool:
    """Whether pods of the API or workers live by this very object: they may run with what it said before."""
    key = (manifest["kind"], manifest["metadata"]["name"])
    own = {("NetworkPolicy", names.child(cr.name, str(part))) for part in (Component.API, Component.WORKER)}
    return key in observed.children and key in {("ConfigMap", names.config(cr.name)), *own}
