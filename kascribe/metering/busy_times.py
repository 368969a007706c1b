"""How busy equal places were over the last minute: calls of a model, child processes."""

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final

from schemas.clock import Clock

WINDOW_SECONDS: Final = 60.0

TIMES_LIMIT: Final = 50_000
"""Most times remembered: 800 calls a second for the whole window. Beyond it the oldest are dropped."""


class BusyTimes:
    """Times at which places were busy. Thread-safe.

    The window is the last WINDOW_SECONDS, or less since the creation.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._created_at = clock.monotonic()
        self._ended: deque[tuple[float, float]] = deque(maxlen=TIMES_LIMIT)
        self._running: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def begin(self, place: Hashable) -> None:
        """Count a place as busy from now on."""
        with self._lock:
            self._running[place] = self._clock.monotonic()

    def end(self, place: Hashable) -> None:
        """Count a place as free from now on."""
        with self._lock:
            self._add(self._running.pop(place))

    def add(self, seconds: float) -> None:
        """Count a place as busy for the seconds that end now."""
        with self._lock:
            self._add(self._clock.monotonic() - seconds)

    def share_of_any(self) -> float:
        """Return the share of the window in which at least one place was busy, 0 to 1."""
        covered, until = 0.0, float("-inf")
        seconds, times = self._in_window()
        for begin, end in sorted(times):
            covered += max(0.0, end - max(begin, until))
            until = max(until, end)
        return min(1.0, covered / seconds) if seconds else 0.0

    def mean_places(self) -> float:
        """Return how many places were busy at once, as the mean over the window."""
        seconds, times = self._in_window()
        return sum(end - begin for begin, end in times) / seconds if seconds else 0.0

    def _add(self, begin: float) -> None:
        now = self._clock.monotonic()
        self._ended.append((begin, now))
        while self._ended[0][1] < now - WINDOW_SECONDS:
            self._ended.popleft()

    def _in_window(self) -> tuple[float, list[tuple[float, float]]]:
        """Return the length of the window, and the times within it."""
        with self._lock:
            now = self._clock.monotonic()
            ended = list(self._ended)
            running = [(begin, now) for begin in self._running.values()]
        first = max(self._created_at, now - WINDOW_SECONDS)
        return now - first, list(_clipped(ended + running, first))


def _clipped(times: list[tuple[float, float]], first: float) -> Iterator[tuple[float, float]]:
    for begin, end in times:
        if end > first:
            yield max(begin, first), end
