"""Local files of objects that are being processed: bounded by the disk, and swept after a crash."""

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
"""Free space from which a full disk counts as usable again: with less, the next record would fill it."""

LEFT_DIRECTORIES: Final = 1_000
"""Most directories remembered while they cannot be removed; ``close`` removes those beyond the limit."""

_PREFIX: Final = "kascribe-"
_LOCK: Final = "in-use"


class Scratch:
    """A directory of one process below ``parent``. Thread-safe.

    A lock that ends with the process marks the directory as in use, so that the next process on the same disk
    finds and removes what a killed one left behind. Process ids mean nothing across containers.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._sweep()
        self._root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        # Locked before it gets the name by which other processes find it.
        self._lock = os.open(self._root / "new", os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self._root / "new").rename(self._root / _LOCK)
        self._required_bytes = 0
        self._left: deque[Path] = deque(maxlen=LEFT_DIRECTORIES)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """Make an empty directory; it is removed with its content when the context ends. Raises DependencyDown."""
        for _ in range(len(self._left)):
            with suppress(IndexError):  # another thread took it
                self._remove(self._left.popleft())
        with disk_errors(self._root):
            made = Path(tempfile.mkdtemp(dir=self._root))
        try:
            yield made
        finally:
            self._remove(made)

    def check_room(self, size_bytes: int) -> None:
        """Raise DependencyDown("scratch") when there is no room for a file of this size now.

        Raises AudioTooLarge for a file that the whole disk could not hold: waiting would pause intake forever.
        """
        disk = shutil.disk_usage(self._parent)
        if disk.total < size_bytes:
            raise AudioTooLarge(f"{size_bytes:,} bytes are more than the disk of {self._parent} holds at all")
        if disk.free < size_bytes:
            self.require(size_bytes)
            raise DependencyDown(SCRATCH, f"{self._parent} has no room for {size_bytes:,} bytes")

    def require(self, size_bytes: int) -> None:
        """Make ``has_room`` require this much, because a file of this size did not fit."""
        self._required_bytes = size_bytes

    def has_room(self) -> bool:
        """Return whether there is room for the file refused last, and at least for ROOM_BYTES."""
        return shutil.disk_usage(self._parent).free >= max(self._required_bytes, ROOM_BYTES)

    def close(self) -> None:
        """Remove the directory. Safe to repeat."""
        shutil.rmtree(self._root, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _remove(self, made: Path) -> None:
        # Without a free descriptor nothing can be removed: the next call of ``directory`` retries.
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
        return False  # another user's, or removed just now
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(opened)


def write_at(descriptor: int, body: bytes, offset: int) -> None:
    """Write all of ``body``: a nearly full disk takes a part without an error, and fails at the next write."""
    left = memoryview(body)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Translate the errors of a full disk and of too many open files to DependencyDown.

    It names "scratch" or "descriptors". Other exceptions pass through.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise DependencyDown(DESCRIPTORS, f"too many open files (see ulimit -n): {error}") from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DependencyDown(SCRATCH, f"{where} is full: {error}") from error
