"""The wiring: settings in, running roles and clients out. It decides only which part gets which."""
