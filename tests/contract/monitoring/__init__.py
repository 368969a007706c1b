"""Metrics, alert rules and dashboards, checked by Prometheus's own tools."""
