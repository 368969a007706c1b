"""From samples to windows of log-mel features: voice detection, packing, features."""
