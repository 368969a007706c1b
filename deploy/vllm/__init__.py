"""A real vLLM server on this machine's CPU: for tests, demos and experiments.

With the tiny generated model its answers are random words; everything else (protocol, errors, limits, structured
output) is vLLM's own. It serves a small real model as well: see ``deploy.real_models``.
"""

from deploy.vllm.server import ServedModel, VllmServer, down, find_server, up

__all__ = ["ServedModel", "VllmServer", "down", "find_server", "up"]
