"""The enricher: a transcript event in, enrichments out."""
