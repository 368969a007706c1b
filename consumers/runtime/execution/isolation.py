"""Isolation of suspects: records that run alone, one after the other, some only after a rest."""

from collections import deque

from consumers.runtime.partition import AssignedPartition, Flight
from schemas.clock import Clock


class Isolation:
    """The suspect that runs alone, those queued to do so, and those that rest. The owner thread's alone."""

    def __init__(self, *, rest_seconds: float, clock: Clock) -> None:
        self.alone: Flight | None = None
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._suspects: deque[Flight] = deque()
        self._resting: list[Flight] = []
        self._rests_end_at: dict[AssignedPartition, float] = {}

    @property
    def is_needed(self) -> bool:
        """Whether a suspect runs alone or is queued to: nothing else may begin."""
        return self.alone is not None or bool(self._suspects)

    def add(self, flight: Flight, *, rested: bool) -> None:
        """Queue a suspect; one that has not rested is queued once its partition has been held long enough."""
        (self._suspects if rested else self._resting).append(flight)

    def next(self) -> Flight | None:
        """Return the next suspect, which is to run alone. Call it while nothing runs."""
        self.alone = self._suspects.popleft() if self._suspects else None
        return self.alone

    def end_rests(self) -> None:
        """Queue the suspects whose partition was held for the whole rest, without this process ending."""
        now = self._clock.monotonic()
        resting, self._resting = self._resting, []
        for flight in resting:
            ends_at = self._rests_end_at.setdefault(flight.partition, now + self._rest_seconds)
            self.add(flight, rested=now >= ends_at)

    def release(self, flight: Flight) -> None:
        """Note that an attempt is over, or will not begin."""
        if flight is self.alone:
            self.alone = None

    def drop(self, partition: AssignedPartition) -> list[Flight]:
        """Forget the suspects of a partition that is released, and return those that were not running."""
        dropped = [flight for flight in (*self._suspects, *self._resting) if flight.partition is partition]
        self._suspects = deque(flight for flight in self._suspects if flight.partition is not partition)
        self._resting = [flight for flight in self._resting if flight.partition is not partition]
        self._rests_end_at.pop(partition, None)
        return dropped
