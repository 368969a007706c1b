"""The entry points: the command line, the wiring of the roles, and the embedded stack."""
