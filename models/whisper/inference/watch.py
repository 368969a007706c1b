"""Which calls take longer than a call may."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from models.whisper.rows import Row
from schemas.clock import Clock


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    rows: Sequence[Row]
    started_at: float


class CallWatch:
    """The calls in progress with their rows. Thread-safe."""

    def __init__(self, *, hang_timeout_seconds: float, clock: Clock) -> None:
        self._hang_timeout_seconds = hang_timeout_seconds
        self._clock = clock
        self._calls: list[_Call] = []
        self._lock = threading.Lock()

    @contextmanager
    def watched(self, rows: Sequence[Row]) -> Iterator[None]:
        """Watch a call while the context lasts."""
        call = _Call(rows, self._clock.monotonic())
        with self._lock:
            self._calls.append(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)

    def hanging_rows(self) -> list[Row]:
        """Return the rows of calls that exceed the timeout."""
        latest = self._clock.monotonic() - self._hang_timeout_seconds
        with self._lock:
            return [row for call in self._calls if call.started_at < latest for row in call.rows]
