"""Live children → conditions: a chain of small pure checks for each component."""

from whisper_operator.judge.conditions import ORDER, conditions, invalid, merged
from whisper_operator.judge.mounts import stuck
from whisper_operator.judge.pods import silent
from whisper_operator.judge.references import Reference, kept, missing, references
from whisper_operator.judge.scene import Verdict
from whisper_operator.judge.survey import Scene, part_of, survey, suspects
from whisper_operator.judge.words import readiness

__all__ = [
    "ORDER",
    "Reference",
    "Scene",
    "Verdict",
    "conditions",
    "invalid",
    "kept",
    "merged",
    "missing",
    "part_of",
    "readiness",
    "references",
    "silent",
    "stuck",
    "survey",
    "suspects",
]
