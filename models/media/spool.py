"""Spool of features in an unlinked file: a long recording temporarily takes disk space, but no memory."""

import errno
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import Window
from schemas.errors import DESCRIPTORS, SCRATCH, AudioTooLarge, DecoderCrashed, DependencyDown, JobError

_open_spools: Final[set["FeatureSpool"]] = set()
_open_spools_lock: Final = threading.Lock()


class FeatureSpool:
    """The features of one record. A child writes it; any thread may read it until it is closed."""

    def __init__(self, *, mel_bands: int) -> None:
        """Create the file. Raises DependencyDown: ``scratch`` (disk full) or ``descriptors`` (too many files)."""
        self._mel_bands = mel_bands
        try:
            self._descriptor, path = tempfile.mkstemp(prefix="kascribe-features-")
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise DependencyDown(DESCRIPTORS, f"too many open files (see ulimit -n): {error}") from error
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DependencyDown(SCRATCH, f"there is no room for features: {error}") from error
        self._path = Path(path)
        with _open_spools_lock:
            _open_spools.add(self)

    @property
    def path(self) -> Path:
        """The path at which the child opens it; gone after ``unlink``."""
        return self._path

    def unlink(self) -> None:
        """Remove the name once the child has opened it, so no crash leaves a file behind. Safe from any thread."""
        self._path.unlink(missing_ok=True)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read the features of a window, shape (mel bands, frames). Blocks for the disk at most."""
        count = self._mel_bands * window.frames
        raw = os.pread(self._descriptor, count * 4, window.offset_bytes)
        if len(raw) != count * 4:
            raise DecoderCrashed(f"the spool holds {len(raw)} of {count * 4} bytes of a window")
        return np.frombuffer(raw, np.float32).reshape(self._mel_bands, window.frames)

    def full_error(self, needed_bytes: int) -> JobError:
        """Return the error for features that do not fit on the disk now.

        AudioTooLarge when they would not fit even with all spools of this process gone, so that waiting is
        pointless; else DependencyDown("scratch").
        """
        with _open_spools_lock:
            spools_bytes = sum(spool.occupied_bytes() for spool in _open_spools)
        if shutil.disk_usage(self._path.parent).free + spools_bytes < needed_bytes:
            return AudioTooLarge(
                f"its features need about {needed_bytes:,} bytes, more than {self._path.parent} can hold; "
                "make room there, or point TMPDIR at a larger disk"
            )
        message = f"{self._path.parent} has no room for {needed_bytes:,} bytes of features"
        return DependencyDown(SCRATCH, message, needed_bytes=needed_bytes)

    def occupied_bytes(self) -> int:
        """Return the disk space that the spool occupies. Safe from any thread."""
        try:
            return os.fstat(self._descriptor).st_blocks * 512 if self._descriptor >= 0 else 0
        except OSError:  # closed concurrently
            return 0

    def close(self) -> None:
        """Free the disk space. Safe to repeat."""
        with _open_spools_lock:
            _open_spools.discard(self)
        self.unlink()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
