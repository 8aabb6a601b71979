"""Live children → conditions: a chain of small pure checks for each component."""

from whisper_operator.judge.conditions import conditions, invalid, merged
from whisper_operator.judge.references import Reference, missing, references
from whisper_operator.judge.scene import Verdict
from whisper_operator.judge.survey import Scene, part_of, survey, suspects

__all__ = [
    "Reference",
    "Scene",
    "Verdict",
    "conditions",
    "invalid",
    "merged",
    "missing",
    "part_of",
    "references",
    "survey",
    "suspects",
]
