"""Decoding of any container to samples at 16 kHz. Runs in a decoding child only."""
