"""A clock that tests move by hand."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class HandClock:
    """A ``schemas.clock.Clock`` that starts at the epoch and stands still until a test adds to ``seconds``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return EPOCH + timedelta(seconds=self.seconds)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        """Return seconds since the clock began."""
        return self.seconds
