"""What a language model server can do to a request, and what follows from it.

::

    ServerProblem
    ├── ContextExceeded   the prompt is longer than the context: ask with less text
    ├── Rejected          this request is refused and would be again
    ├── AccessRefused     no request can succeed: wrong key, unknown model, no such path
    ├── Overloaded        too busy now: the same server, later
    ├── ServerFailed      500, garbage, cut off, too slow, disconnected: another server, or later
    └── Unreachable       no connection: another server, or later

They stay inside this folder: the pool turns them into the job errors of ``schemas.errors``.
"""


class ServerProblem(Exception):
    """A request without an answer. The message names the server and what it said."""


class ContextExceeded(ServerProblem):
    """The prompt alone is longer than the model's context: ``context_tokens``, where the server says so."""

    def __init__(self, message: str, context_tokens: int | None = None) -> None:
        super().__init__(message)
        self.context_tokens = context_tokens


class Rejected(ServerProblem):
    """The server refuses this request, whatever its state: a schema it cannot use, a bad field."""


class AccessRefused(ServerProblem):
    """The server refuses everyone like us: key, model or address is wrong."""


class Overloaded(ServerProblem):
    """Busy. ``retry_after_seconds`` is what the server (or a gateway before it) asked for."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerFailed(ServerProblem):
    """It took the request and did not answer it as a server should."""


class TooSlow(ServerFailed):
    """It took the request and did not finish in time: slow, or hanging."""


class Unreachable(ServerProblem):
    """Nothing accepts connections at the address."""
