"""``/v1/jobs`` without a server."""
