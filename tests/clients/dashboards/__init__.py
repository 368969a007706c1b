"""The dashboards as Grafana's own types have them."""
