"""The metadata of a commit: the gap map, the journal, and the id of the log that the offset refers to.

::

    <gap map> <journal> <log id>

The parts are separated by one space; empty parts at the end are left off. Older releases wrote the first two only,
and read the parts that they know.
"""

from dataclasses import dataclass
from typing import Final, Self

SEPARATOR: Final = " "
"""Separates the parts; none of them contains it."""

LOG_ID_CHARACTERS: Final = 22
"""Length of a topic id as clients print it. It and the separators are taken from the gap map's budget."""


@dataclass(frozen=True, slots=True)
class CommitMetadata:
    """The three parts; each may be empty."""

    gap_map: str = ""
    journal: str = ""
    log_id: str = ""

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Parse metadata; never raises. Text of other programs lands in ``gap_map``, whose decoder checks it."""
        parts = (text or "").split(SEPARATOR)
        return cls(*parts[:3])

    def __str__(self) -> str:
        return SEPARATOR.join((self.gap_map, self.journal, self.log_id)).rstrip(SEPARATOR)
