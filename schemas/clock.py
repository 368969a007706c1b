"""Time, injected: everything that reads a clock takes one of these."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day, and a clock for intervals that never goes back."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        ...

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, for due times on the wire."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, for intervals and deadlines."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.now(UTC)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds, never going back."""
        return time.monotonic()
