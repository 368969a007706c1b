"""Which jobs of the archive a caller asks for. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS: Final = 2**42
"""In the year 2109: a later moment is as good as this one, and a job's number stays within 63 bits."""


class UsageKey(StrEnum):
    """What usage is summed up by."""

    TENANT = "tenant"
    DAY = "day"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What jobs must be like; None is any. ``tenant`` is None only for callers that may see every tenant.

    ``from_ms`` is the first moment at which a job may have begun, and ``to_ms`` the first at which it may not.
    """

    tenant: str | None
    phase: str | None = None
    status: str | None = None
    language: str | None = None
    model: str | None = None
    name: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    @property
    def is_possible(self) -> bool:
        """Whether any job can be like this: databases do not store NUL, and refuse it in a question."""
        texts = (self.tenant, self.phase, self.status, self.language, self.model, self.name)
        return not any("\x00" in text for text in texts if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """What recordings must be like, beside the words in them; see ``JobFilter``. ``job_id`` is one job alone."""

    tenant: str | None
    words: str
    language: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    job_id: str | None = None


def milliseconds_of(moment: datetime) -> int:
    """Return a moment as the archive has it, between the epoch and ``LAST_MS``."""
    return min(max((moment - EPOCH) // timedelta(milliseconds=1), 0), LAST_MS)


def moment_at(milliseconds: int) -> datetime:
    """Return the moment of a time in the archive."""
    return EPOCH + timedelta(milliseconds=milliseconds)
