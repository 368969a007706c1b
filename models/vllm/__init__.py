"""Enrichment of transcripts by language models, and the client of their servers. Entry point: ``Enricher``."""
