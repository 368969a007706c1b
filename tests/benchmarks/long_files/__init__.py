"""Benchmarks on recordings of hours."""
