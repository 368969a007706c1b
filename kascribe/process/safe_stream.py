"""A stream for log lines that fails no work: a full disk or a closed pipe behind standard error costs the line.

A finaliser may log at any moment: the garbage collector runs on whichever thread allocates, also on one that is
writing a line. So nothing of the log waits for what its own thread holds, and all of it has one lock: with two, a
finaliser on one thread and a line on another would take them in opposite orders.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Final, TextIO

LOG_LOCK: Final = RLock()
"""Held while a line is written or counted."""


class WholeLines:
    """Hands lines to ``write``, each after the one before it. Thread-safe.

    A line that comes on the thread that is in ``write`` is written by it, after the one in progress.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._waiting: deque[str] = deque()
        self._is_writing = False

    def put(self, line: str) -> None:
        """Write a line."""
        with LOG_LOCK:
            self._waiting.append(line)
            while self._waiting and not self._is_writing:
                self._is_writing = True
                try:
                    if self._waiting:  # still: a finaliser may have written them since the loop looked
                        self._write(self._waiting.popleft())
                finally:
                    self._is_writing = False


class SafeStream:
    """Writes whole lines to a stream, and drops what it does not take. Thread-safe, also within a finaliser."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = WholeLines(self._write)

    def write(self, text: str) -> int:
        """Write and flush a text; return its length."""
        self._lines.put(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def isatty(self) -> bool:
        """Return whether a terminal shows the lines."""
        return self._stream.isatty()

    def _write(self, text: str) -> None:
        # ValueError: the stream is closed, as at the end of an interpreter.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class SafeLogger:
    """The logger below structlog's. Its own has a lock that a finaliser would wait for."""

    def __init__(self, stream: SafeStream) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line, at any level."""
        self._stream.write(f"{line}\n")

    debug = info = warning = error = critical = msg
