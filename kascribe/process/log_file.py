"""The log file: appended a line at a time, rotated by size, and opened again when another program has moved it."""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from kascribe.process.safe_stream import LOG_LOCK, WholeLines
from schemas.clock import Clock

CHECK_SECONDS: Final = 1.0
"""Between two looks whether the file was moved or removed, as logrotate does."""

RETRY_SECONDS: Final = 60.0
"""Between a rotation that fails and the next try."""

FILE_MODE: Final = 0o640


class LogFile:
    """One file, which several processes may write at once: each line is one append, and one of them rotates it.

    A line that cannot be written is counted and dropped: a full disk must stop no work. ``on_change`` is called,
    on the thread that writes, when writing begins to fail and when it succeeds again, and when a rotation fails;
    it must not block or log.
    """

    def __init__(
        self, path: Path, *, limit_bytes: int, kept_files: int, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        """Open the file, and make its folder. Raises OSError. ``limit_bytes`` 0: never rotate."""
        self.path = path
        self.problem: OSError | None = None
        self.rotation_problem: OSError | None = None
        self._limit_bytes = limit_bytes
        self._kept_files = kept_files
        self._clock = clock
        self._on_change = on_change
        self._lost_lines = 0
        self._is_cut_off = False
        self._check_at = 0.0
        self._rotate_at = 0.0
        self._lines = WholeLines(self._write)
        self._descriptor = self._open()

    def write(self, line: str) -> None:
        """Append a line. Never raises for the disk's sake. Thread-safe, also within a finaliser."""
        self._lines.put(line)

    def take_lost_lines(self) -> int:
        """Return how many lines were lost since the last call."""
        with LOG_LOCK:
            lost, self._lost_lines = self._lost_lines, 0
        return lost

    def _write(self, line: str) -> None:
        before = self.problem
        try:
            self._append(f"{line}\n".encode("utf-8", "backslashreplace"))
            self.problem = None
        except OSError as error:
            self.problem = error
            self._lost_lines += 1
        if (before is None) is not (self.problem is None):
            self._on_change()

    def _append(self, written: bytes) -> None:
        now = self._clock.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            if not self._is_at_path():
                self._reopen()
        size_bytes = os.fstat(self._descriptor).st_size
        if 0 < self._limit_bytes < size_bytes + len(written) and size_bytes:
            self._try_to_rotate(now)
        # A disk that is nearly full takes a part of a line; the next one must not continue it.
        whole = b"\n" + written if self._is_cut_off else written
        count = os.write(self._descriptor, whole)
        self._is_cut_off = count < len(whole)
        if self._is_cut_off:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _try_to_rotate(self, now: float) -> None:
        """Rotate; where the folder forbids it, the file grows beyond its limit, which loses no line."""
        if now < self._rotate_at:
            return
        try:
            self._rotate()
        except OSError as error:
            self.rotation_problem = error
            self._rotate_at = now + RETRY_SECONDS
            self._on_change()
        else:
            self.rotation_problem = None

    def _rotate(self) -> None:
        """Move the file to FILE.1, FILE.1 to FILE.2 and so on, unless another process has just done so."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process rotates it now, or hangs; this line goes into the old file
        try:
            if self._is_at_path():
                for number in range(self._free_number(), 0, -1):
                    source = self._kept(number - 1) if number > 1 else self.path
                    with suppress(FileNotFoundError):
                        source.replace(self._kept(number))
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._reopen()

    def _free_number(self) -> int:
        """Return the first number that no kept file has; the last one when all have, and its file is dropped."""
        numbers = range(1, self._kept_files)
        return next((number for number in numbers if not self._kept(number).exists()), self._kept_files)

    def _kept(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _is_at_path(self) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        own = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def _reopen(self) -> None:
        opened = self._open()  # first, so that the old file is kept where the new one cannot be opened
        os.close(self._descriptor)
        self._descriptor = opened
        self._is_cut_off = False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
