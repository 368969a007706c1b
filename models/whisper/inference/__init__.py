"""Inference: rows from all jobs, in batches, on one device."""
