"""Files that the parent opens for a child, which opens none."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.media.spool import FeatureSpool
from schemas.errors import DESCRIPTORS, DecoderCrashed, DependencyDown


@contextmanager
def open_files(recording: Path, spool: FeatureSpool) -> Iterator[tuple[int, int]]:
    """Open the recording to be read and the spool to be written, and remove the spool's name.

    Raises DependencyDown("descriptors") where too many files are open, and DecoderCrashed where one is gone.
    """
    with _opened(recording, os.O_RDONLY) as source, _opened(spool.path, os.O_RDWR) as target:
        spool.unlink()  # no crash leaves it behind
        yield source, target


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise DependencyDown(DESCRIPTORS, f"too many open files (see ulimit -n): {error}") from error
        raise DecoderCrashed(f"a file for the decoder cannot be opened: {error}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
