"""Features wait in an unlinked file, so a long recording costs disk for a while and no memory."""

import errno
import os
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import Window
from schemas.errors import DESCRIPTORS, SCRATCH, AudioTooLarge, DecoderCrashed, DependencyDown, JobError

_open_spools: set["FeatureSpool"] = set()
_opening = threading.Lock()


class FeatureSpool:
    """The features of one record. A child writes it; any thread may read it until it is closed."""

    def __init__(self, *, mel_bands: int) -> None:
        """Raises DependencyDown: ``scratch`` when the disk is full, ``descriptors`` when those ran out."""
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
        with _opening:
            _open_spools.add(self)

    @property
    def path(self) -> Path:
        """Where the child opens it; nothing is there after unlink()."""
        return self._path

    def unlink(self) -> None:
        """Takes its name away once the child has it open: it vanishes whoever dies. Safe from any thread."""
        self._path.unlink(missing_ok=True)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Features of shape (mel bands, frames). Blocks for the disk at most."""
        count = self._mel_bands * window.frames
        raw = os.pread(self._descriptor, count * 4, window.offset_bytes)
        if len(raw) != count * 4:
            raise DecoderCrashed(f"the spool holds {len(raw)} of {count * 4} bytes of a window")
        return np.frombuffer(raw, np.float32).reshape(self._mel_bands, window.frames)

    def no_room(self, needed_bytes: int) -> JobError:
        """Why a recording whose features need so much does not fit now.

        AudioTooLarge when there were no room for them either if all spools of this process were gone: waiting
        for those helps nobody. Else DependencyDown("scratch").
        """
        with _opening:
            ours = sum(spool.occupied_bytes() for spool in _open_spools)
        if shutil.disk_usage(self._path.parent).free + ours < needed_bytes:
            return AudioTooLarge(
                f"its features need about {needed_bytes:,} bytes, more than {self._path.parent} can hold; "
                "make room there, or point TMPDIR at a larger disk"
            )
        message = f"{self._path.parent} has no room for {needed_bytes:,} bytes of features"
        return DependencyDown(SCRATCH, message, needed_bytes=needed_bytes)

    def occupied_bytes(self) -> int:
        """What it takes of the disk. Safe from any thread."""
        try:
            return os.fstat(self._descriptor).st_blocks * 512 if self._descriptor >= 0 else 0
        except OSError:  # closed just now
            return 0

    def close(self) -> None:
        """Gives the disk back. Safe to repeat."""
        with _opening:
            _open_spools.discard(self)
        self.unlink()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
