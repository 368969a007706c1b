"""The transcript and its export formats."""
