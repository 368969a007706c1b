"""Tests on an embedded broker: whole flows, real clients, one process."""
