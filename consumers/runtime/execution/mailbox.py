"""How other threads reach the owner thread: outcomes and commands, in one queue."""

from collections.abc import Callable
from queue import Empty, SimpleQueue

from consumers.runtime.flight import Flight
from schemas.clock import Clock

Command = Callable[[], None]
"""Runs on the owner thread. Must not block or raise."""


class Mailbox:
    """``put_flight`` and ``put_command`` may be called from any thread and from signal handlers; they never block.

    Unbounded, but everything in it belongs to a record in flight or a batch at the outbox, and those are bounded.

    ``heard_at`` is when the last mail came, or the last word that ``hear`` tells of.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: SimpleQueue[Flight | Command] = SimpleQueue()
        self.listened_at = clock.monotonic()
        self.heard_at = self.listened_at
        self.put_flight: Callable[[Flight], None] = self._queue.put
        self.put_command: Callable[[Command], None] = self._queue.put

    def listen(self, patience_seconds: float) -> list[Flight]:
        """Waits for mail that long at most, runs the commands, and returns the flights that came back."""
        flights: list[Flight] = []
        # What comes while this runs waits for the next time, so a busy stage cannot keep the owner here.
        for _ in range(max(1, self._queue.qsize())):
            try:
                mail = self._queue.get(block=patience_seconds > 0, timeout=patience_seconds or None)
            except Empty:
                break
            patience_seconds = 0.0
            if isinstance(mail, Flight):
                flights.append(mail)
            else:
                mail()
            self.hear()
        self.listened_at = self._clock.monotonic()
        return flights

    def hear(self) -> None:
        """Notes a sign of work that needs no mail. From any thread; never blocks."""
        self.heard_at = self._clock.monotonic()
