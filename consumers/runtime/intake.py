"""What is taken in: how much, in which order, with which caution; and which partitions pause meanwhile."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from confluent_kafka import Consumer

from consumers.runtime.admission import is_shut, reserved_records
from consumers.runtime.assignment import Assignment
from consumers.runtime.execution.following import Following
from consumers.runtime.execution.isolation import Isolation
from consumers.runtime.execution.workers import Workers
from consumers.runtime.flight import Flight, JobSupport
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.load import Load
from consumers.runtime.monitoring import metrics as rows
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.offsets.journal import Caution
from consumers.runtime.partition import AssignedPartition
from consumers.runtime.retry import may_run_at
from consumers.runtime.stage import Weight
from schemas.clock import Clock
from schemas.kafka import history
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import Coordinates, Record
from schemas.options import Lane
from schemas.settings import RuntimeSettings

POLL_RECORDS_LIMIT: Final = 500
"""Records of one poll; what is polled and finds no room waits in memory, so this bounds that too."""

UNDELIVERED_FACTOR: Final = 4
"""Settled records whose outputs the broker has not confirmed: this many times ``in_flight_records`` at most."""


class Intake:
    """Takes records from polls to the workers. The owner thread's alone.

    ``doubt`` asks that ``logs_found`` be called soon.
    """

    def __init__(
        self,
        consumer: Consumer,
        assignment: Assignment,
        workers: Workers,
        load: Load,
        support: JobSupport,
        *,
        settings: RuntimeSettings,
        metrics: Metrics,
        clock: Clock,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self.closed = False
        self.down: dict[str, list[Flight]] = {}
        self.handed_over_at = clock.monotonic()
        self.set_aside: list[Flight] = []
        self._doubt = doubt
        self._assignment = assignment
        self._workers = workers
        self._load = load
        self._support = support
        self._settings = settings
        self._clock = clock
        self._shut = False
        self._flow_control = FlowControl(consumer, clock)
        self._following = Following()
        self._reserved: set[Flight] = set()
        self._isolation = Isolation(rest_seconds=settings.killer_rest_seconds, clock=clock)
        self._running = 0
        self._turns = 0
        self._received = metrics.counter(rows.RECORDS_RECEIVED)
        self._skipped = metrics.counter(rows.RECORDS_SKIPPED)

    @property
    def room(self) -> int:
        """How many records may be taken in now."""
        limits, load = self._settings, self._load
        self._shut = is_shut(load, limits, was_shut=self._shut)
        if self._shut or self._is_blocked:
            return 0
        return min(POLL_RECORDS_LIMIT, limits.in_flight_records - load.records)

    @property
    def reserved_room(self) -> int:
        """How many interactive records may be taken in where there is room for no others."""
        return 0 if self._is_blocked else reserved_records(self._settings) - len(self._reserved)

    def receive(self, records: Sequence[Record]) -> None:
        """Keeps what was polled until there is room. Records of partitions that are gone are dropped."""
        partitions = self._assignment.partitions
        counts: Counter[str] = Counter()
        for record in records:
            counts[record.topic] += 1
            partition = partitions.get((record.topic, record.partition))
            if partition is None or partition.draining or partition.rewinding:
                continue
            if record.offset < partition.polled:
                partition = self._after_going_back(partition)
                if partition is None:
                    continue
            partition.polled = record.offset + 1
            partition.backlog.append(record)
        for topic, count in counts.items():
            self._received.labels(topic).inc(count)

    def admit(self) -> None:
        """Hands over as much as there is room for, from each partition in turn."""
        self._isolation.end_rests()
        if not self._running and not self.closed and not self.down and (suspect := self._isolation.next()):
            self._start(suspect)
        if not self._isolation.is_wanted and not self.closed and not self.down:
            for flight in self._following.released():
                self._run_with_caution(flight)
        waiting = [partition for partition in self._assignment.partitions.values() if partition.backlog]
        # With room for fewer records than there are partitions, the first may not always be the same one.
        self._turns += 1
        first = self._turns % max(1, len(waiting))
        waiting = in_turn = waiting[first:] + waiting[:first]
        while waiting and (room := self.room) > 0:
            share = max(1, room // len(waiting))
            waiting = [partition for partition in waiting[:room] if self._admit_some(partition, share)]
        if in_turn and self.room <= 0:
            self._admit_reserved(in_turn)

    def start_durable(self, partition: AssignedPartition) -> None:
        """Runs the flights that waited for their partition's journal, which is durable now."""
        started, partition.unnamed = partition.unnamed, []
        for flight in started:
            self._hand_over(flight)

    def steer(self) -> None:
        """Pauses the partitions that must not be polled and resumes the rest. See ``FlowControl.steer``."""
        self._flow_control.steer(self._assignment.partitions, room=self.room, reserved_room=self.reserved_room)

    def logs_found(self, log_ids: Mapping[str, str]) -> None:
        """Learns which logs the topics stand for now: one that replaced another is read from its beginning."""
        for partition, log_id in self._assignment.replaced_logs(log_ids):
            self._begin_anew(partition, log_id=log_id, rewinding=True)

    def ended(self, flight: Flight) -> None:
        """An attempt came back from the workers."""
        self._running -= 1
        self._isolation.ended(flight)
        if flight.partition.held:
            flight.partition.journal.stop(flight.record.offset)

    def settled(self, flight: Flight) -> None:
        """The record is in flight no more; its room is free, and the records that follow it run again."""
        flight.partition.flights.pop(flight.record.offset, None)
        self._following.end(flight)
        self._load.remove(flight)
        self._reserved.discard(flight)

    def park(self, flight: Flight, dependency: str) -> None:
        """The same attempt waits until the dependency is up; meanwhile nothing is taken in."""
        self.down.setdefault(dependency, []).append(flight)

    def follow(self, flight: Flight, leader: Coordinates) -> None:
        """The same attempt waits until the record that was first read at ``leader`` has ended in this process. It
        holds nothing meanwhile, so it weighs nothing."""
        self._load.reweigh(flight, Weight())
        self._following.wait(flight, leader)

    def unpark(self, dependency: str) -> None:
        """The dependency is up: runs what waited for it, a suspect alone again. Safe to repeat."""
        for flight in self.down.pop(dependency, ()):
            self._run_with_caution(flight)

    def abandon(self, partition: AssignedPartition) -> None:
        """Drops what a partition has here while it goes away; what is with the workers is dropped when it ends."""
        self._running -= len(partition.unnamed)
        for flight in partition.unnamed:
            self._isolation.ended(flight)
        idle = [*partition.unnamed, *self.set_aside, *chain.from_iterable(self.down.values())]
        for flight in chain(idle, self._isolation.drop(partition), self._following.drop(partition)):
            if flight.partition is partition:
                flight.cancelled = True
                self.settled(flight)
        partition.unnamed = []
        self.set_aside = [flight for flight in self.set_aside if flight.partition is not partition]
        for dependency, flights in self.down.items():
            self.down[dependency] = [flight for flight in flights if flight.partition is not partition]

    def _admit_reserved(self, partitions: Sequence[AssignedPartition]) -> None:
        """One interactive record from each partition where one is next, while places are kept for them."""
        for partition in partitions:
            next_one = partition.backlog[0] if partition.backlog else None
            if next_one and self.reserved_room > 0 and lane_of(next_one) is Lane.INTERACTIVE:
                self._admit_some(partition, 1)
                if flight := partition.flights.get(next_one.offset):
                    self._reserved.add(flight)

    def _admit_some(self, partition: AssignedPartition, limit: int) -> bool:
        """Up to ``limit`` records of one partition. False when it has nothing more for now."""
        backlog, ledger, journal = partition.backlog, partition.ledger, partition.journal
        if partition.due_at_ms > self._clock.now_ms():
            return False
        for _ in range(limit):
            if not backlog or self._isolation.is_wanted or not ledger.can_receive() or not journal.has_room():
                return False
            flight = self._flight(backlog[0], partition)
            if flight is None:
                return False
            backlog.popleft()
            if ledger.receive(flight.record.offset):
                self._take(flight)
            else:
                self._skipped.labels(flight.record.topic).inc()
        return True

    @property
    def _is_blocked(self) -> bool:
        """Whether nothing may be taken in for another reason than how much is in flight."""
        full = self._load.undelivered_records >= UNDELIVERED_FACTOR * self._settings.in_flight_records
        return self.closed or bool(self.down) or self._isolation.is_wanted or full

    def _begin_anew(self, partition: AssignedPartition, *, log_id: str, rewinding: bool) -> AssignedPartition:
        self.abandon(partition)
        self._assignment.replace(partition, log_id=log_id, rewinding=rewinding)
        return self._assignment.partitions[partition.key]

    def _after_going_back(self, partition: AssignedPartition) -> AssignedPartition | None:
        """The partition that a record belongs to whose offset lies below what was polled. None: drop it.

        A log that does not reach as far as before was cut off, or replaced. One that does may have been replaced
        as well, and the answer about its id comes later: until then the record counts as one that was polled
        before, for librdkafka may rewind on resume (its issues 2593 and 4686). A log that turns out to be another
        one is read from its beginning.
        """
        if self._flow_control.log_reaches(partition):
            self._doubt()
            return None
        return self._begin_anew(partition, log_id="", rewinding=False)

    def _flight(self, record: Record, partition: AssignedPartition) -> Flight | None:
        """The record's flight; None while it is not due."""
        attempt, origin = 1, None
        if record.headers and not history.NAMES.isdisjoint(dict(record.headers)):
            past = history.read(record)
            attempt, origin = past.attempt, past.origin
            now_ms = self._clock.now_ms()
            if (due_at_ms := may_run_at(record, now_ms=now_ms)) > now_ms:
                partition.due_at_ms = due_at_ms
                return None
        return Flight(
            record,
            partition,
            self._support,
            origin=origin or record.coordinates,
            attempt=attempt,
            taken_at=self._clock.monotonic(),
        )

    def _take(self, flight: Flight) -> None:
        self._load.add(flight)
        self._following.begin(flight)
        flight.partition.flights[flight.record.offset] = flight
        self._run_with_caution(flight)

    def _run_with_caution(self, flight: Flight) -> None:
        caution = flight.partition.journal.caution(flight.record.offset)
        if caution is Caution.SET_ASIDE:
            self.set_aside.append(flight)
        elif caution is Caution.TOGETHER:
            self._start(flight)
        else:
            self._isolation.add(flight, rested=caution is Caution.ALONE)

    def _start(self, flight: Flight) -> None:
        partition = flight.partition
        self._running += 1
        partition.journal.start(flight.record.offset, alone=flight is self._isolation.alone)
        if partition.journal.is_durable:
            self._hand_over(flight)
        else:
            partition.unnamed.append(flight)

    def _hand_over(self, flight: Flight) -> None:
        self.handed_over_at = self._clock.monotonic()
        flight.started = False  # it may have run before, and waited for a service or another record since
        self._workers.submit(flight)
