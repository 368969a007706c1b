"""Contracts: events, transcripts, notification dialects, wire format, errors, settings, topic names.

Pure data. Nothing here opens a file or a socket, and nothing here imports another folder of ours.
"""
