"""Traces: spans, what samples them, and their way out."""
