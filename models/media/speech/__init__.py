"""Conversion of samples to windows of log-mel features: voice detection, packing, features."""
