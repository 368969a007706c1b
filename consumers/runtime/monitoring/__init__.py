"""What the runtime reports about itself: snapshots, health, metrics, probes."""
