"""Outages on purpose: scripts that print a table of what happened."""
