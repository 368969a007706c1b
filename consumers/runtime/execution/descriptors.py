"""Shortage of file descriptors: a condition of the process or the machine, not of the record that ran into it.

Files, sockets and pipes of decoders use descriptors, and every library reports the shortage in its own way, some
without the error number. So an attempt that fails while no descriptor is free counts as a victim of the shortage,
unless its record is at fault.
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
"""Most causes of an error that are examined: a chain of causes may be circular."""

NUMBERS: Final = frozenset({errno.EMFILE, errno.ENFILE})


def are_free(count: int = SPARE_DESCRIPTORS) -> bool:
    """Return whether ``count`` more files can be opened now. Opens and closes them."""
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
    """Return ``error`` itself, or DependencyDown("descriptors") when it is due to their shortage.

    Call it at once where the error is caught: a moment later descriptors may be free again.
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
