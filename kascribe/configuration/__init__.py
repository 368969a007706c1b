"""The settings: their sources, and how they are read."""
