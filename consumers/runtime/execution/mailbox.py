"""The mailbox of the owner thread: ended flights and commands from other threads, in one queue."""

from collections.abc import Callable
from queue import Empty, SimpleQueue

from consumers.runtime.partition import Flight
from schemas.clock import Clock

Command = Callable[[], None]
"""Runs on the owner thread. Must not block or raise."""


class Mailbox:
    """The owner thread's queue. ``put_flight`` and ``put_command`` never block, from any thread or signal handler.

    Unbounded, but everything in it belongs to a record in flight or a batch at the outbox, and those are bounded.

    ``listened_at`` is when the owner last listened, ``active_at`` when mail last arrived or activity was noted;
    both in the clock's monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: SimpleQueue[Flight | Command] = SimpleQueue()
        self.listened_at = clock.monotonic()
        self.active_at = self.listened_at
        self.put_flight: Callable[[Flight], None] = self._queue.put
        self.put_command: Callable[[Command], None] = self._queue.put

    def listen(self, timeout_seconds: float) -> list[Flight]:
        """Wait up to ``timeout_seconds`` for mail, run the commands, and return the flights that ended."""
        flights: list[Flight] = []
        # Mail that arrives while this runs waits for the next call, so a busy stage cannot keep the owner here.
        for _ in range(max(1, self._queue.qsize())):
            try:
                mail = self._queue.get(block=timeout_seconds > 0, timeout=timeout_seconds or None)
            except Empty:
                break
            timeout_seconds = 0.0
            if isinstance(mail, Flight):
                flights.append(mail)
            else:
                mail()
            self.note_activity()
        self.listened_at = self._clock.monotonic()
        return flights

    def note_activity(self) -> None:
        """Note activity that sends no mail. From any thread; never blocks."""
        self.active_at = self._clock.monotonic()
