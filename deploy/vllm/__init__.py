"""A real vLLM server on this machine's CPU, with a tiny generated model: for tests, demos and experiments.

Its answers are random words; everything else (protocol, errors, limits, structured output) is vLLM's own.
"""

from deploy.vllm.server import VllmServer, down, find_server, up

__all__ = ["VllmServer", "down", "find_server", "up"]
