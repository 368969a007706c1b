"""File descriptors that ran out: a condition of the process or the machine, whichever record met it.

Files, sockets, pipes of decoders: every library reports it in its own way, some without the error number. So an
attempt that fails while no descriptor is free counts as a victim of the shortage, unless its record is at fault.
"""

import errno
import os
from collections.abc import Iterator
from typing import Final

from consumers.runtime.ports import FollowsAnother
from schemas.errors import DESCRIPTORS, DependencyDown, JobCancelled, PermanentError

SPARE_DESCRIPTORS: Final = 16
"""Descriptors that must be free before intake resumes: about one record's connections and decoder pipes."""

CAUSES_LIMIT: Final = 20
"""Of an error, examined one after the other; causes may form a circle."""

NUMBERS: Final = frozenset({errno.EMFILE, errno.ENFILE})


def are_free(count: int = SPARE_DESCRIPTORS) -> bool:
    """Return whether so many more files can be opened now. Opens and closes them."""
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(count))
    except OSError:
        return False
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return True


def shortage(error: BaseException) -> BaseException:
    """Return ``error`` itself, or DependencyDown("descriptors") where those ran out.

    To be called where the error was caught, at once: a moment later there may be free ones again.
    """
    if isinstance(error, PermanentError | JobCancelled | FollowsAnother):
        return error
    if isinstance(error, DependencyDown) and error.dependency == DESCRIPTORS:
        return error
    if not any(cause.errno in NUMBERS for cause in _causes(error) if isinstance(cause, OSError)) and are_free(1):
        return error
    down = DependencyDown(DESCRIPTORS, f"too many open files (see ulimit -n): {error}")
    down.__cause__ = error
    return down


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(CAUSES_LIMIT):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
