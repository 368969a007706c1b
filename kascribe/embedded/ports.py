"""Request bodies, as the embedded object store reads them."""

from typing import Protocol


class Reader(Protocol):
    """A body that is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Read ``size`` bytes at most; none at the end."""
        ...


class Stream(Reader, Protocol):
    """A body that can be read by lines too."""

    def readline(self, limit: int, /) -> bytes:
        """Read one line, ``limit`` bytes of it at most."""
        ...
