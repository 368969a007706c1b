"""The archive over HTTP: filled by its role from real events, read by several gateways."""
