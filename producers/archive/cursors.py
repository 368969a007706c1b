"""Where a page of a list ends. Pure.

A cursor is opaque to clients. It holds the place of the last row, and a digest of that place and of what was
asked: a cursor of another list, of another tenant or of no list at all is refused, all of these in the same way.
"""

import base64
import binascii
import hashlib
import struct
from dataclasses import astuple, dataclass
from typing import Final, Self

from producers.archive.filters import JobFilter, SearchFilter

CURSOR_CHARACTERS: Final = 32
_PLACE: Final = struct.Struct(">qq")
_DIGEST_BYTES: Final = 8


class CursorInvalid(Exception):
    """The text is no cursor of this list."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a job among all: newest first, so what follows is smaller."""

    created_at_ms: int
    number: int

    def cursor(self, asked: JobFilter | SearchFilter) -> str:
        """Return the cursor of what follows in the list of these jobs."""
        packed = _PLACE.pack(self.created_at_ms, self.number)
        return base64.urlsafe_b64encode(packed + _digest(packed, asked)).decode()

    @classmethod
    def parse(cls, cursor: str, asked: JobFilter | SearchFilter) -> Self:
        """Return the place of a cursor of this very list. Raises CursorInvalid for any other text."""
        try:
            found = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise CursorInvalid from error
        packed, digest = found[: _PLACE.size], found[_PLACE.size :]
        if len(packed) != _PLACE.size or digest != _digest(packed, asked):
            raise CursorInvalid
        return cls(*_PLACE.unpack(packed))


def _digest(packed: bytes, asked: JobFilter | SearchFilter) -> bytes:
    described = repr((type(asked).__name__, astuple(asked)))
    return hashlib.sha256(packed + described.encode(errors="surrogatepass")).digest()[:_DIGEST_BYTES]
