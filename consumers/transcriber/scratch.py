"""Local files for objects that are being worked on: bounded by the disk, and swept after a crash."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from schemas.errors import DESCRIPTORS, SCRATCH, AudioTooLarge, DependencyDown

ROOM_BYTES: Final = 64 * 1024**2
"""Free again after a disk was full while it was written to: with less, the next record would fill it at once."""

LEFT_DIRECTORIES: Final = 1_000
"""Remembered while they cannot be removed; ``close`` removes what is beyond that."""

_PREFIX: Final = "kascribe-"
_LOCK: Final = "in-use"


class Scratch:
    """A directory of one process below ``parent``. Safe to share between threads.

    A lock that ends with the process marks it as in use, so that what a killed process left behind is found and
    removed by the next one on the same disk, whatever process ids mean there.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._sweep()
        self._root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        # The name by which others look for the lock comes after the lock itself.
        self._lock = os.open(self._root / "new", os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self._root / "new").rename(self._root / _LOCK)
        self._needed_bytes = 0
        self._left: deque[Path] = deque(maxlen=LEFT_DIRECTORIES)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """An empty directory that is gone, with all in it, when the context ends. Raises DependencyDown."""
        for _ in range(len(self._left)):
            with suppress(IndexError):  # another thread took it
                self._remove(self._left.popleft())
        with disk_errors(self._root):
            made = Path(tempfile.mkdtemp(dir=self._root))
        try:
            yield made
        finally:
            self._remove(made)

    def reserve(self, size_bytes: int) -> None:
        """Raises DependencyDown("scratch") when there is no room for a file of this size now.

        What the whole disk could not hold is AudioTooLarge: no waiting helps, and intake would pause for ever.
        """
        disk = shutil.disk_usage(self._parent)
        if disk.total < size_bytes:
            raise AudioTooLarge(f"{size_bytes:,} bytes are more than the disk of {self._parent} holds at all")
        if disk.free < size_bytes:
            self.need(size_bytes)
            raise DependencyDown(SCRATCH, f"{self._parent} has no room for {size_bytes:,} bytes")

    def need(self, size_bytes: int) -> None:
        """Takes note of what found no room: less is not enough."""
        self._needed_bytes = size_bytes

    def has_room(self) -> bool:
        """Whether what was refused last would fit now, and a little in any case."""
        return shutil.disk_usage(self._parent).free >= max(self._needed_bytes, ROOM_BYTES)

    def close(self) -> None:
        """Removes the directory. Safe to repeat."""
        shutil.rmtree(self._root, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _remove(self, made: Path) -> None:
        """Without a free descriptor nothing can be removed: it is left to the next one."""
        shutil.rmtree(made, ignore_errors=True)
        if made.exists():
            self._left.append(made)

    def _sweep(self) -> None:
        for left in self._parent.glob(f"{_PREFIX}*/{_LOCK}"):
            if _is_abandoned(left):
                shutil.rmtree(left.parent, ignore_errors=True)


def _is_abandoned(lock: Path) -> bool:
    try:
        opened = os.open(lock, os.O_RDWR)
    except OSError:
        return False  # another user's, or just removed
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(opened)


def write_at(descriptor: int, body: bytes, offset: int) -> None:
    """All of it: a disk that is nearly full takes a part without an error, and says so at the next write."""
    left = memoryview(body)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Translates a full disk to DependencyDown("scratch"), and files that cannot be opened because too many are to
    DependencyDown("descriptors"); anything else passes through."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise DependencyDown(DESCRIPTORS, f"too many open files (see ulimit -n): {error}") from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DependencyDown(SCRATCH, f"{where} is full: {error}") from error
