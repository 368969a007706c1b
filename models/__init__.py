"""Inference: audio in, text out; the model store; the language model client."""
