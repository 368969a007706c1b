"""The front door: the command line, the wiring and the embedded one-process-tree stack."""
