"""Gateways under abuse: slow clients, floods, full disks and too few descriptors, on real sockets."""
