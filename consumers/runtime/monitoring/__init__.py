"""Monitoring of the runtime: snapshots, health, metrics, and probes of the broker and of services."""
