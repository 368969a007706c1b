"""Points in time in events."""

import re
from datetime import UTC, datetime
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
