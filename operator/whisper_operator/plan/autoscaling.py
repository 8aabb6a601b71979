"""How many workers the plan holds, and what other scalers need to scale them."""

from dataclasses import dataclass
from datetime import datetime

from whisper_operator.api import names
from whisper_operator.api.v1alpha1.transcriber import WhisperTranscriber
from whisper_operator.plan.common import Observed


@dataclass(frozen=True)
class Scale:
    """How many workers there should be, why in one word and in a sentence, and since when it is that many."""

    replicas: int
    reason: str
    message: str
    since: datetime | None = None


@dataclass(frozen=True)
class Queue:
    """How many jobs wait; None: the transcriber does not say."""

    waiting: int | None


def replicas(cr: WhisperTranscriber, observed: Observed) -> int:
    """The workers to run.

    Where the operator scales: what it has decided; until it has (it has just started), as many as there are, within the
    bounds. The spec's own number is for everybody else: people, KEDA, a HorizontalPodAutoscaler.
    """
    rules = cr.spec.workers.scaled
    if rules is None:
        return cr.spec.workers.replicas
    if observed.workers is not None:
        return rules.clamp(observed.workers)
    live = observed.children.get(("Deployment", names.worker(cr.name)))
    return rules.clamp(int(live["spec"].get("replicas", 1)) if live else rules.min)


def least(cr: WhisperTranscriber, wanted: int) -> int:
    """How few ready workers are enough to call them ready: while more are wanted, those that are there go on."""
    rules = cr.spec.workers.autoscaling
    return wanted if rules is None else min(wanted, rules.min)
