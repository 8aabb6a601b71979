"""Conditions by the Kubernetes API conventions: a status, a reason, a sentence, and when the status last flipped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from whisper_operator.api.v1alpha1.base import Lenient

Status = Literal["True", "False", "Unknown"]


_ALWAYS = {"required": ["type", "status", "reason", "message", "lastTransitionTime"]}


class Condition(Lenient, json_schema_extra=_ALWAYS):
    """One observation about the resource."""

    type: str = Field(description="What is observed, such as Ready.", max_length=316)
    status: Status = Field(description="True, False or Unknown.")
    reason: str = Field(
        "", description="Why, in one PascalCase word that programs may compare.", max_length=1024, examples=["Ready"]
    )
    message: str = Field("", description="Why, in a sentence that says what to do.", max_length=32768)
    observed_generation: int = Field(0, ge=0, description="The metadata.generation that was judged.")
    last_transition_time: datetime | None = Field(None, description="When the status last changed.")


def mark(old: Sequence[Condition], new: Condition, now: datetime) -> list[Condition]:
    """`old` with `new` in the place of the condition of its type; lastTransitionTime moves only when status flips."""
    before = next((c for c in old if c.type == new.type), None)
    since = before.last_transition_time if before and before.status == new.status else now
    marked = new.model_copy(update={"last_transition_time": since or now})
    if before is None:
        return [*old, marked]
    return [marked if c.type == new.type else c for c in old]


def find(conditions: Sequence[Condition], kind: str) -> Condition | None:
    """The condition of that type."""
    return next((c for c in conditions if c.type == kind), None)
