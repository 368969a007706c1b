"""Flights on their way to the workers and back: started, held while they must wait, released at their end."""

from collections.abc import Mapping
from itertools import chain

from consumers.runtime.execution import job_log
from consumers.runtime.execution.following import Following
from consumers.runtime.execution.isolation import Isolation
from consumers.runtime.execution.workers import Workers
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.offsets.journal import Caution
from consumers.runtime.partition import NO_WEIGHT, AssignedPartition, Flight
from schemas.clock import Clock
from schemas.kafka.records import Coordinates


class Dispatch:
    """Runs flights. The owner thread's alone.

    A flight that was taken is with the workers, or waits: for its partition's journal, for its turn to run alone,
    for a dependency (``park``), for another record (``follow``), or for its dead letter (``take_set_aside``). Once
    its attempt has ended, the caller calls exactly one of ``release``, ``park`` and ``follow``.

    ``submitted_at`` is when a flight was last handed to the workers, in the clock's monotonic seconds.
    """

    def __init__(self, workers: Workers, flow_control: FlowControl, *, rest_seconds: float, clock: Clock) -> None:
        self.submitted_at = clock.monotonic()
        self._workers = workers
        self._flow_control = flow_control
        self._clock = clock
        self._following = Following()
        self._isolation = Isolation(rest_seconds=rest_seconds, clock=clock)
        self._running: set[Flight] = set()
        self._parked: dict[str, list[Flight]] = {}
        self._set_aside: list[Flight] = []

    @property
    def parked(self) -> Mapping[str, list[Flight]]:
        """The dependencies that are down, each with the flights that wait for it."""
        return self._parked

    @property
    def is_blocked(self) -> bool:
        """Whether intake must stop: a dependency is down, or a suspect runs alone or waits to."""
        return bool(self._parked) or self._isolation.is_needed

    def take(self, flight: Flight) -> None:
        """Take a record in: it is in flight from now on."""
        self._flow_control.add(flight)
        self._following.begin(flight)
        flight.partition.add(flight)
        self._run_with_caution(flight)

    def start_waiting(self) -> None:
        """Start what may run now: the next suspect while nothing else runs, and released followers."""
        self._isolation.end_rests()
        if self._parked:
            return
        if not self._running and (suspect := self._isolation.next()):
            self._start(suspect)
        if not self._isolation.is_needed:
            for flight in self._following.take_released():
                self._run_with_caution(flight)

    def start_durable(self, partition: AssignedPartition) -> None:
        """Run the flights that waited for their partition's journal, which is durable now."""
        for flight in partition.take_unnamed():
            self._submit(flight)

    def release(self, flight: Flight) -> None:
        """End a flight, whatever its outcome: free its room, let its followers run. Call once per flight."""
        self._end_attempt(flight)
        flight.partition.remove(flight)
        self._following.end(flight)
        self._flow_control.remove(flight)

    def park(self, flight: Flight, dependency: str) -> None:
        """Let the same attempt wait until the dependency is up; until then intake pauses."""
        self._end_attempt(flight)
        self._parked.setdefault(dependency, []).append(flight)

    def unpark(self, dependency: str, *, was_outage: bool) -> None:
        """Run the flights that waited for a dependency; a suspect runs alone again. Safe to repeat."""
        for flight in self._parked.pop(dependency, ()):
            flight.count_pause(was_outage=was_outage)
            self._run_with_caution(flight)

    def follow(self, flight: Flight, leader: Coordinates) -> None:
        """Let the same attempt wait, without weight, until the record first read at ``leader`` ends here."""
        self._end_attempt(flight)
        self._flow_control.reweigh(flight, NO_WEIGHT)
        self._following.wait(flight, leader)

    def take_set_aside(self) -> list[Flight]:
        """Return the flights that must not run because processes ended while they did, each once."""
        taken, self._set_aside = self._set_aside, []
        return taken

    def drop(self, partition: AssignedPartition) -> None:
        """Drop a partition's waiting flights. Those with the workers are dropped when they end."""
        waiting = [*partition.take_unnamed(), *self._isolation.drop(partition), *self._following.drop(partition)]
        idle = chain(self._set_aside, chain.from_iterable(self._parked.values()))
        for flight in chain(waiting, [flight for flight in idle if flight.partition is partition]):
            job_log.log_dropped(flight)
            flight.leave()
            self.release(flight)
        self._set_aside = [flight for flight in self._set_aside if flight.partition is not partition]
        for dependency, flights in self._parked.items():
            self._parked[dependency] = [flight for flight in flights if flight.partition is not partition]

    def drop_all(self, partition: AssignedPartition) -> None:
        """Drop a partition's waiting flights, and log those with the workers: their results will be dropped."""
        self.drop(partition)
        for flight in partition.flights.values():
            job_log.log_dropped(flight)

    def _run_with_caution(self, flight: Flight) -> None:
        caution = flight.partition.books.journal.caution(flight.record.offset)
        if caution is Caution.SET_ASIDE:
            self._set_aside.append(flight)
        elif caution is Caution.TOGETHER:
            self._start(flight)
        else:
            self._isolation.add(flight, rested=caution is Caution.ALONE)

    def _start(self, flight: Flight) -> None:
        journal = flight.partition.books.journal
        self._running.add(flight)
        journal.start(flight.record.offset, alone=flight is self._isolation.alone)
        if journal.is_durable:
            self._submit(flight)
        else:
            flight.partition.hold_until_named(flight)

    def _submit(self, flight: Flight) -> None:
        self.submitted_at = self._clock.monotonic()
        flight.requeue()
        self._workers.submit(flight)

    def _end_attempt(self, flight: Flight) -> None:
        self._running.discard(flight)
        self._isolation.release(flight)
        if not flight.partition.is_gone:
            flight.partition.books.journal.stop(flight.record.offset)
