"""Transcripts to enrichments: profiles, planning, prompts, validated answers."""
