"""Every role on real servers under a real Prometheus, with outages that have to alert: ``make monitor``."""
