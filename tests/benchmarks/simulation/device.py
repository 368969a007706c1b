"""A device that takes time and computes nothing: the clock of a GPU that the streams of several replicas share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

_NOTHING = 1e-9
"""Seconds. What rounding leaves of kernels is no work."""


@dataclass(slots=True, eq=False)
class Kernels:
    """Kernels of one call; ``left`` is the time that they need alone, in seconds."""

    left: float


class Timeline:
    """When kernels end that share a device evenly, so that their times add up. Pure; ``now`` never falls."""

    def __init__(self, now: float) -> None:
        self.busy_seconds = 0.0
        self.running: list[Kernels] = []
        self._at = now

    def add(self, seconds: float, now: float) -> Kernels:
        """Start kernels that need so many seconds alone."""
        self.advance(now)
        kernels = Kernels(seconds)
        self.running.append(kernels)
        return kernels

    def advance(self, now: float) -> None:
        """Let the time pass."""
        while self.running and self._at < now:
            shares = len(self.running)
            shortest = min(each.left for each in self.running)
            passed = min(now - self._at, shortest * shares)
            for each in self.running:
                each.left -= passed / shares
            self.running = [each for each in self.running if each.left > _NOTHING]
            self.busy_seconds += passed
            self._at += passed
        self._at = max(self._at, now)

    def seconds_until_end(self, kernels: Kernels, now: float) -> float:
        """Return how long kernels run if no others start; 0 when they have ended."""
        self.advance(now)
        if kernels not in self.running:
            return 0.0
        return sum(min(each.left, kernels.left) for each in self.running)


class Device:
    """A timeline in real time. Thread-safe.

    Ends are computed and not observed: a thread that waits for the GIL after its kernels keeps nothing busy.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._timeline = Timeline(clock())

    def run(self, seconds: float) -> None:
        """Block, without the GIL, until kernels that need ``seconds`` alone have run."""
        with self._lock:
            kernels = self._timeline.add(seconds, self._clock())
        while (wait := self._seconds_until_end(kernels)) > 0:
            pause(wait)

    def busy_seconds(self) -> float:
        """Return the time during which kernels ran, so far."""
        with self._lock:
            self._timeline.advance(self._clock())
            return self._timeline.busy_seconds

    def is_busy(self) -> bool:
        """Return whether kernels run now."""
        with self._lock:
            self._timeline.advance(self._clock())
            return bool(self._timeline.running)

    def _seconds_until_end(self, kernels: Kernels) -> float:
        with self._lock:
            return self._timeline.seconds_until_end(kernels, self._clock())


def pause(seconds: float) -> None:
    """Block without the GIL, as native code does that works or waits outside Python."""
    if seconds > 0:
        threading.Event().wait(seconds)
