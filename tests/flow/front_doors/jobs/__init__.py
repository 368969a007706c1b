"""``/v1/jobs`` on real sockets."""
