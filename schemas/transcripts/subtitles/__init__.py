"""Subtitle cues: text broken at clauses, laid out in lines, and timed for reading."""
