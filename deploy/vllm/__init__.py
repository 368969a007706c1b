"""A real vLLM server on this machine's processor, with a tiny model made here: for tests, demos and trying out.

Its answers are random words; everything else (protocol, errors, limits, structured output) is vLLM's own.
"""

from deploy.vllm.server import VllmServer, down, running, up

__all__ = ["VllmServer", "down", "running", "up"]
