"""Children that Ctrl-C and a closing terminal end, wherever the tests run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_INHERITED: Final = (signal.SIGINT, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Give processes started within the default action for SIGINT and SIGHUP. Only in the main thread.

    A shell lets its background jobs ignore SIGINT, and nohup lets a program ignore SIGHUP; children inherit both.
    A signal that has a handler goes back to its default in them.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in _INHERITED}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
