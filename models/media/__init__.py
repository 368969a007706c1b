"""Untrusted media in, windows of log-mel features out, in guarded child processes."""
