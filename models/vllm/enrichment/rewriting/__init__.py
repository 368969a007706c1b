"""Profiles that rewrite every segment of a transcript: redaction and translation."""
