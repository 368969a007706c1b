"""Enrichment that a user asks for: of one file or job, and of every transcript again."""
