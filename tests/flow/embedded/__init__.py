"""The embedded stack over several runs."""
