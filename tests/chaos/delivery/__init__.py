"""Faults on real brokers and worker processes, and a checker of what came out."""
