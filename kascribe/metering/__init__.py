"""Metrics that the wiring records: of the engine and its decoders, and of the language model servers."""
