"""Transcripts in the shapes of other services' results, for the tools that read those."""
