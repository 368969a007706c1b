"""Which bytes of a recording a request wants: Range and If-Range (RFC 9110, sections 13.1.5 and 14). Pure."""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Final

from producers.recordings import Recording

_ONE_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins behind the end of the recording."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Positions of the first and the last byte, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


def range_in(header: str | None, size_bytes: int) -> ByteRange | None:
    """Return the range of a Range header; None for the whole.

    A header that is malformed, has another unit or several ranges asks for the whole, as a server may decide.
    Raises Unsatisfiable.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    start, end = found.groups()
    if not start:
        first, last = size_bytes - min(int(end), size_bytes), size_bytes - 1
    else:
        first, last = int(start), int(end) if end else size_bytes - 1
        if end and last < first:
            return None
    if first >= size_bytes:
        raise Unsatisfiable
    return ByteRange(first, min(last, size_bytes - 1))


def is_same(if_range: str | None, recording: Recording) -> bool:
    """Return whether a range may be sent: the recording is still the one that If-Range names, if there is one."""
    return if_range is None or if_range.strip() in (recording.etag, last_modified(recording))


def last_modified(recording: Recording) -> str:
    """Return the header Last-Modified."""
    return format_datetime(recording.modified_at.astimezone(UTC), usegmt=True)
