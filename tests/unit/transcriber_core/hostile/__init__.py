"""Broken and hostile files, made when they are needed: what each is, and what the decoder must make of it."""

from unit.transcriber_core.hostile.bombs import BOMBS
from unit.transcriber_core.hostile.broken import CUT_OFF, LIES, RARE
from unit.transcriber_core.hostile.kinds import LONGEST, Bait, Decoded, Hostile, Refused
from unit.transcriber_core.hostile.nothing import NOTHING
from unit.transcriber_core.hostile.references import REFERENCES

ALL: dict[str, Hostile] = NOTHING | REFERENCES | CUT_OFF | LIES | RARE | BOMBS

__all__ = ["ALL", "LONGEST", "Bait", "Decoded", "Hostile", "Refused"]
