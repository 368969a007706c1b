"""Features wait in an unlinked file, so a long recording costs disk for a while and no memory."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.media.windows import Window
from schemas.errors import SCRATCH, DecoderCrashed, DependencyDown


class FeatureSpool:
    """The features of one record. A child writes it; any thread may read it until it is closed."""

    def __init__(self, *, mel_bands: int) -> None:
        """Raises DependencyDown("scratch") when the disk is full."""
        self._mel_bands = mel_bands
        try:
            self._descriptor, path = tempfile.mkstemp(prefix="kascribe-features-")
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DependencyDown(SCRATCH, f"there is no room for features: {error}") from error
        self._path = Path(path)

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

    def close(self) -> None:
        """Gives the disk back. Safe to repeat."""
        self.unlink()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
