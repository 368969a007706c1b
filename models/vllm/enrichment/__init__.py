"""Enrichment of transcripts: profiles, planning, prompts, validated answers. Speaks no HTTP."""
