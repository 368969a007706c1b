"""Intake: polled records wait in backlogs, and become flights as far as there is room, in a fair order."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from consumers import metrics as rows
from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.dispatch import Dispatch
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.partition import AssignedPartition, Flight, PartitionState
from consumers.runtime.ports import Job
from consumers.runtime.retry import may_run_at
from schemas.clock import Clock
from schemas.kafka import history
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import Record
from schemas.options import Lane

_log: Final = structlog.get_logger(__name__)


class Intake:
    """Makes flights of polled records. The owner thread's alone.

    ``make_job`` makes the job of a flight. ``request_log_ids`` causes a call of ``on_log_ids`` soon.
    """

    def __init__(
        self,
        assignment: Assignment,
        flow_control: FlowControl,
        dispatch: Dispatch,
        *,
        make_job: Callable[[Flight], Job],
        request_log_ids: Callable[[], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.is_closed = False
        self._assignment = assignment
        self._flow_control = flow_control
        self._dispatch = dispatch
        self._make_job = make_job
        self._request_log_ids = request_log_ids
        self._clock = clock
        self._turns = 0
        self._received = metrics.counter(rows.RECORDS_RECEIVED)
        self._skipped = metrics.counter(rows.RECORDS_SKIPPED)

    @property
    def room(self) -> int:
        """How many records may be admitted now."""
        return 0 if self.is_closed or self._dispatch.is_blocked else self._flow_control.room

    @property
    def reserved_room(self) -> int:
        """How many interactive records may be admitted while there is no room for others."""
        return 0 if self.is_closed or self._dispatch.is_blocked else self._flow_control.reserved_room

    def close(self) -> None:
        """Stop the intake: the process is about to end."""
        self.is_closed = True

    def receive(self, records: Sequence[Record]) -> None:
        """Keep polled records until there is room; drop those of partitions that are not held any more."""
        partitions = self._assignment.partitions
        counts: Counter[str] = Counter()
        for record in records:
            counts[record.topic] += 1
            partition = partitions.get((record.topic, record.partition))
            if partition is None or partition.state is not PartitionState.HELD or partition.rewinding:
                continue
            if record.offset < partition.polled:
                partition = self._on_lower_offset(partition)
                if partition is None:
                    continue
            partition.enqueue(record)
        for topic, count in counts.items():
            self._received.labels(topic).inc(count)

    def update_pauses(self) -> None:
        """Pause the partitions that must not be polled and resume the rest. See ``FlowControl.update_pauses``."""
        self._flow_control.update_pauses(
            self._assignment.partitions, room=self.room, reserved_room=self.reserved_room
        )

    def admit(self) -> None:
        """Admit as many records as there is room for, from each partition in turn."""
        if not self.is_closed:
            self._dispatch.start_waiting()
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

    def on_log_ids(self, log_ids: Mapping[str, str]) -> None:
        """Note the current ids of the topics' logs: a log that replaced another is read from its beginning."""
        for partition, log_id in self._assignment.replaced_logs(log_ids):
            self._replace(partition, log_id=log_id, rewinding=True)

    def _admit_reserved(self, partitions: Sequence[AssignedPartition]) -> None:
        """Admit the next record of each partition if it is interactive, while reserved places are free."""
        for partition in partitions:
            record = partition.backlog[0] if partition.backlog else None
            if record and self.reserved_room > 0 and lane_of(record) is Lane.INTERACTIVE:
                self._admit_some(partition, 1)
                if flight := partition.flights.get(record.offset):
                    self._flow_control.reserve(flight)

    def _admit_some(self, partition: AssignedPartition, limit: int) -> bool:
        """Admit up to ``limit`` records of one partition. False when it has nothing more for now."""
        if partition.due_at_ms > self._clock.now_ms():
            return False
        backlog, ledger, journal = partition.backlog, partition.books.ledger, partition.books.journal
        for _ in range(limit):
            if not backlog or self._dispatch.is_blocked or not ledger.can_receive() or not journal.has_room():
                return False
            flight = self._make_flight(backlog[0], partition)
            if flight is None:
                return False
            backlog.popleft()
            if ledger.receive(flight.record.offset):
                self._dispatch.take(flight)
            else:
                self._skipped.labels(flight.record.topic).inc()
                _log.debug("record skipped", record=str(flight.record.coordinates))
        return True

    def _make_flight(self, record: Record, partition: AssignedPartition) -> Flight | None:
        """Return the record's flight; None while it is not due."""
        attempt, origin = 1, None
        if record.headers and not history.NAMES.isdisjoint(dict(record.headers)):
            past = history.read(record)
            attempt, origin = past.attempt, past.origin
            now_ms = self._clock.now_ms()
            if (due_at_ms := may_run_at(record, now_ms=now_ms)) > now_ms:
                partition.wait_until(due_at_ms)
                return None
        return Flight(
            record,
            partition,
            self._make_job,
            origin=origin or record.coordinates,
            attempt=attempt,
            taken_at=self._clock.monotonic(),
        )

    def _on_lower_offset(self, partition: AssignedPartition) -> AssignedPartition | None:
        """Return the partition of a record with an offset below what was polled. None: drop the record.

        A log shorter than what was polled was cut off, or replaced. Any other may have been replaced as well, but
        its id arrives later: until then the record counts as polled before, since librdkafka may rewind on resume
        (its issues 2593 and 4686). If the id then differs, the log is read from its beginning.
        """
        if self._flow_control.log_reaches(partition):
            self._request_log_ids()
            return None
        return self._replace(partition, log_id="", rewinding=False)

    def _replace(self, partition: AssignedPartition, *, log_id: str, rewinding: bool) -> AssignedPartition:
        self._dispatch.drop_all(partition)
        return self._assignment.replace(partition, log_id=log_id, rewinding=rewinding)
