"""How `make test` runs the tests: on which worker, and once more where some failed."""
