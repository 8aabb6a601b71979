"""Frozen values and pure functions of the field: audio, windows, transcripts, options, models. No I/O."""
