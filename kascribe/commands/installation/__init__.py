"""Commands about this installation: its settings, its models, and whether it works."""
