"""Shutdown by signals: the first one drains, the second one ends at once, each within its time limit."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

import structlog

from schemas.clock import Clock, SystemClock

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

STARTING_SECONDS: Final = 5.0
"""For a process that gets a signal before it has begun to work."""

HURRY_SECONDS: Final = 1.0
"""From the second signal to the end of the process."""

_log: Final = structlog.get_logger(__name__)


class Shutdown:
    """Counts signals, passes them on to the running part, and ends the process when its time is over.

    Calls in progress then (of the model, of the store, a thread that the interpreter joins) are given up. Nothing
    is lost by that: uncommitted records are redelivered.
    """

    def __init__(
        self, *, limit_seconds: float, end: Callable[[int], object] = os._exit, clock: Clock | None = None
    ) -> None:
        self.signals = 0
        self.ends_at = inf
        self._limit_seconds = limit_seconds
        self._end = end
        self._clock = clock or SystemClock()
        self._stop: Callable[[], None] | None = None
        # A signal handler may interrupt any line, so it takes no lock: these queues are made for that.
        self._deadlines: SimpleQueue[float | None] = SimpleQueue()
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._watch, name="shutdown", daemon=True)
        self._thread.start()

    def handle(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal. Raises SystemExit in a process that has not begun to work."""
        self.signals += 1
        limit = self._limit_seconds if self._stop is not None else min(self._limit_seconds, STARTING_SECONDS)
        self.ends_at = min(self.ends_at, self._clock.monotonic() + (limit if self.signals == 1 else HURRY_SECONDS))
        self._deadlines.put(self.ends_at)
        self._woken.put(None)
        if self._stop is not None:
            self._stop()
        elif self.signals == 1:
            raise SystemExit(128 + number)

    def pass_to(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` at every signal from now on, and at once for each that came before."""
        self._stop = stop
        for _ in range(self.signals):
            stop()

    def wait(self, seconds: float) -> bool:
        """Block until a signal arrives or the time is over; return whether a signal has arrived."""
        if not self.signals:
            with suppress(Empty):
                self._woken.get(timeout=seconds)
        return self.signals > 0

    def seconds_left(self, most: float, *, reserve: float = 0.5) -> float:
        """Return the time limit for a step of the shutdown: ``most``, or the time left minus the reserve."""
        return max(0.0, min(most, self.ends_at - self._clock.monotonic() - reserve))

    def close(self) -> None:
        """Drop the time limit. Only for a process that continues."""
        self._deadlines.put(None)
        self._thread.join()

    def _watch(self) -> None:
        ends_at = self._deadlines.get()
        while ends_at is not None:
            left_seconds = ends_at - self._clock.monotonic()
            if left_seconds <= 0:
                _log.warning("drain time is over; ending without waiting for the rest")
                self._end(0)
                return
            with suppress(Empty):
                ends_at = self._deadlines.get(timeout=left_seconds)


@contextmanager
def ended_by_signals(*, limit_seconds: float) -> Iterator[Shutdown]:
    """Handle SIGTERM, SIGINT and SIGHUP from now on, also after the context, until the process has ended.

    SIGHUP stays ignored where it was (nohup).
    """
    shutdown = Shutdown(limit_seconds=limit_seconds)
    for number in SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, shutdown.handle)
    yield shutdown
