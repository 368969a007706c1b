"""Kascribe as it is installed: its roles, its compose file, its silence towards the network."""
