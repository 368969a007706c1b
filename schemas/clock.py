"""Injected time: every component that reads time takes a ``Clock``."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day, and a monotonic clock for intervals."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        ...

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, for due times on the wire."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment, for intervals and deadlines. Never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.now(UTC)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, for due times on the wire."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment, for intervals and deadlines."""
        return time.monotonic()
