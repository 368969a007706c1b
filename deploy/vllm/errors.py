"""What goes wrong with the local server."""


class VllmUnavailable(Exception):
    """The local vLLM server cannot be installed or started; the message says why and what to do."""
