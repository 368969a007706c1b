"""Kascribe: producers."""
