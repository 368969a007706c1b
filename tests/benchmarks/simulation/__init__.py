"""The real engine over a timed device: ``make simulate-engine``."""
