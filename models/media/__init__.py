"""Decoding of untrusted media into windows of log-mel features, in child processes with limits."""
