"""A stream for log lines that fails no work: a full disk or a closed pipe behind standard error costs the line."""

from contextlib import suppress
from threading import Lock
from typing import TextIO


class SafeStream:
    """Writes whole lines to a stream, and drops what it does not take. Thread-safe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def write(self, text: str) -> int:
        """Write and flush a text; return its length."""
        # ValueError: the stream is closed, as at the end of an interpreter.
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def isatty(self) -> bool:
        """Return whether a terminal shows the lines."""
        return self._stream.isatty()
