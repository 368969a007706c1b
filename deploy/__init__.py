"""Running Kascribe: images, compose, dashboards, and the real servers on loopback without containers."""
