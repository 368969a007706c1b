"""Children that Ctrl-C ends, wherever the tests run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Processes started within take SIGINT's default action. Only in the main thread.

    A shell that starts a job in the background lets it ignore SIGINT, and children inherit that; a signal that has
    a handler goes back to its default in them.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
