"""Contracts: events, transcripts, notification dialects, wire format, errors, settings, topic names.

Pure data: no module here opens a file or a socket, or imports another package of Kascribe.
"""
