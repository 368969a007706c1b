"""Quality of enrichment on any model, measured by rules of its own: ``make bench-enrich-quality``."""
