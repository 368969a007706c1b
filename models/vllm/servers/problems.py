"""Problems of requests to a language model server, and the reaction to each.

::

    ServerProblem
    ├── ContextExceeded   the prompt is longer than the context: send less text
    ├── Rejected          this request is refused and would be again
    ├── AccessRefused     no request can succeed: wrong key, unknown model, no such path
    ├── Overloaded        too busy now: the same server, later
    ├── ServerFailed      500, garbage, cut off, too slow, disconnected: another server, or later
    └── Unreachable       no connection: another server, or later

The pool passes ContextExceeded and Rejected on, and turns the others into job errors of ``schemas.errors``.
"""


class ServerProblem(Exception):
    """A request without a completion. The message names the server and quotes its response."""


class ContextExceeded(ServerProblem):
    """The prompt alone exceeds the model's context: ``context_tokens``, where the server states it."""

    def __init__(self, message: str, context_tokens: int | None = None) -> None:
        super().__init__(message)
        self.context_tokens = context_tokens


class Rejected(ServerProblem):
    """The server refuses this request, whatever its state: a schema it cannot use, a bad field."""


class AccessRefused(ServerProblem):
    """The server refuses every request of this client: key, model or address is wrong."""


class Overloaded(ServerProblem):
    """Busy. ``retry_after_seconds`` is the server's (or its gateway's) Retry-After."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerFailed(ServerProblem):
    """The server took the request and did not respond as it should."""


class TooSlow(ServerFailed):
    """The server took the request and did not finish in time: slow, or hanging."""


class Unreachable(ServerProblem):
    """No process accepts connections at the address."""
