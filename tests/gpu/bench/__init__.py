"""Benchmark of the engine on a GPU, with a model made on the spot. Starts with ``python -m tests.gpu.bench``."""
