"""Time, injected."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that people read, one that only ever goes forward."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, for due times on the wire."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, for intervals and deadlines."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds, never going back."""
        return time.monotonic()
