"""Points in time in events."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _written_in_full(value: object) -> object:
    # A number may be seconds or milliseconds, and a time without a zone is ambiguous: neither is guessed.
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        return datetime.fromisoformat(value.upper())
    if isinstance(value, datetime):
        return value
    raise ValueError(
        "write the time as RFC 3339 with its zone, as in 2026-11-22T09:00:00Z (Jackson: register JavaTimeModule "
        "and disable WRITE_DATES_AS_TIMESTAMPS)"
    )


def _with_zone(moment: datetime) -> datetime:
    # Moments are compared with each other, which requires a zone.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_written_in_full), AfterValidator(_with_zone)]
"""As text it must name its zone; a ``datetime`` without one is UTC."""

_DURATION: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_SECONDS_PER_UNIT: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment_of(written: str, *, now: datetime) -> datetime:
    """Return the moment that a user writes: a duration before ``now``, a date (its start, in UTC), or RFC 3339.

    Raises ValueError with a message that says what to write.
    """
    duration = _DURATION.fullmatch(written)
    try:
        if duration:
            return now - timedelta(seconds=int(duration[1]) * _SECONDS_PER_UNIT[duration[2]])
        if _RFC_3339.fullmatch(written):
            return datetime.fromisoformat(written.upper())
        return datetime.combine(date.fromisoformat(written), time(), UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("write 90m, 12h or 7d, 2026-11-22, or 2026-11-22T09:00:00Z") from error
