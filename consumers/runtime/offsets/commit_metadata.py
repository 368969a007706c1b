"""What a commit carries beside its offset: the gap map, the journal, and the id of the log that the offset is of.

::

    <gap map> <journal> <log id>

One space between the parts; empty parts at the end are left off. Older releases wrote the first two alone, and
read what they know of this.
"""

from dataclasses import dataclass
from typing import Final, Self

SEPARATOR: Final = " "
"""Between the parts; none of them contains it."""

LOG_ID_CHARACTERS: Final = 22
"""Of a topic id, as clients print it. The gap map gets so much, and the separators, less than the budget."""


@dataclass(frozen=True, slots=True)
class CommitMetadata:
    """The three parts; each may be empty."""

    gap_map: str = ""
    journal: str = ""
    log_id: str = ""

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Take the text apart. Never raises: what other programs wrote lands in ``gap_map``, which is checked."""
        parts = (text or "").split(SEPARATOR)
        return cls(*parts[:3])

    def __str__(self) -> str:
        return SEPARATOR.join((self.gap_map, self.journal, self.log_id)).rstrip(SEPARATOR)
