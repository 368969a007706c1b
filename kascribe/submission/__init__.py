"""Submission of files and addresses as references, and what becomes of the jobs."""
