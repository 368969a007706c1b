"""Multipart forms: bounded bodies, job requests from their fields, and their description."""
