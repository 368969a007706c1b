"""Alert rules and dashboards for Prometheus and Grafana, made of the catalogue of metrics.

``python -m deploy.monitoring`` writes the files beside this one and ``docs/alerts.md``.
"""
