"""Transcribers beside each other, with timed devices, on a real broker and object store: ``make bench-scale``."""
