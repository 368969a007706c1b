"""Spans of one record in the runtime: from its topic to the commit of its offset.

::

    process TOPIC ─┬─ queue     from the record's time to its first attempt
                   ├─ attempt   once for each run of the stage, with its steps within it
                   ├─ publish   from the outcome until the outputs are delivered
                   └─ commit    until the offset is committed

The outputs carry the first of them as their ``traceparent``. Where the trace is not sampled, a flight has none.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from consumers.runtime.partition import AssignedPartition, Flight
from consumers.runtime.ports import FollowsAnother
from schemas.kafka.delivery import Commit
from schemas.kafka.trace import PREVIOUS_SPAN, Trace
from schemas.monitoring.active_span import ActiveSpan
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import Tracer

SYSTEM: Final = "messaging.system"
PARKED: Final = "parked"
JOINED: Final = "joined"


def begin_record(tracer: Tracer, flight: Flight, trace: Trace, *, group: str) -> ActiveSpan | None:
    """Begin the span of a record that is in flight; None where its trace is not sampled."""
    record = flight.record
    active = tracer.begin(
        trace,
        f"process {record.topic}",
        kind=SpanKind.CONSUMER,
        started_ms=record.timestamp_ms if record.timestamp_ms > 0 else None,
        attributes={
            SYSTEM: "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": group,
            "messaging.message.body.size": len(record.value or b""),
            "kascribe.attempt": flight.attempt,
            "kascribe.origin": str(flight.origin),
        },
    )
    if active is not None and (previous := _previous(flight)) is not None:
        active.link(previous)
    return active


def begin_attempt(record: ActiveSpan, flight: Flight) -> ActiveSpan:
    """Begin the span of one run of the stage."""
    return record.child("attempt", attributes={"kascribe.attempt": flight.attempt})


def end_attempt(record: ActiveSpan, attempt: ActiveSpan, flight: Flight, failure: BaseException | None) -> None:
    """End the span of one run of the stage, and before the first one that of the wait in the queue.

    A run in which the record only found another one that does its work is an event: it waits on.
    """
    if isinstance(failure, FollowsAnother):
        record.event("followed", {"kascribe.leader": str(failure.leader)})
        return
    if not flight.has_run:
        flight.has_run = True
        record.child("queue", from_start=True).end(before=attempt)
    if failure is not None:
        attempt.fail(failure)
    attempt.end()


def note_outcome(record: ActiveSpan, outcome: str) -> None:
    """Note how a run ended: for good, or as an event of a record that will run again."""
    if outcome == PARKED:
        record.event(outcome)
    elif outcome != JOINED:  # it has an event that names the other record
        record.set({"kascribe.outcome": outcome})


_COMMIT: Final = {SYSTEM: "kafka", "messaging.operation.name": "commit", "messaging.operation.type": "settle"}


def _previous(flight: Flight) -> Trace | None:
    header = flight.record.header(PREVIOUS_SPAN)
    return Trace.parse(header.decode("ascii", "replace")) if header else None


class CompletedRecord:
    """A record with its outcome, before its offset is committed."""

    __slots__ = ("_commit", "_publish", "_record", "number")

    def __init__(self, record: ActiveSpan, publish: ActiveSpan | None, number: int) -> None:
        self._record = record
        self._publish = publish
        self._commit = None if publish else record.child("commit", attributes=_COMMIT)
        self.number = number

    def end_publish(self) -> None:
        """Note that its outputs are delivered; the commit comes next."""
        if self._publish is not None:
            self._publish.end()
        if self._commit is None:
            self._commit = self._record.child("commit", attributes=_COMMIT)

    def end(self, *, committed: bool) -> None:
        """End the record's span: its offset is committed, or another process will run it again."""
        if self._commit is not None and committed:
            self._commit.end()
        self._record.set({"kascribe.committed": committed})
        self._record.end()


class DeliverySpans:
    """Spans of completed records until their offsets are committed. The owner thread's alone.

    ``add`` in the order of completion; for each batch ``completed``, ``submitted`` once the outbox has it, and
    ``delivered`` or ``returned``; for each confirmed commit ``committed``. With nothing traced, all of that costs
    next to nothing.
    """

    def __init__(self) -> None:
        self._unsubmitted: dict[AssignedPartition, list[CompletedRecord]] = {}
        self._waiting: dict[AssignedPartition, list[CompletedRecord]] = {}
        # The commits on their way, each with the number of the last record that it covers.
        self._commits: dict[AssignedPartition, list[tuple[Commit, int]]] = {}
        self._count = 0

    def add(self, partition: AssignedPartition, record: ActiveSpan, topics: Sequence[str]) -> None:
        """Note a completed record, with the topics of its outputs."""
        self._count += 1
        publish = None
        if topics:
            publish = record.child(
                "publish",
                kind=SpanKind.PRODUCER,
                attributes={
                    SYSTEM: "kafka",
                    "messaging.operation.name": "publish",
                    "messaging.operation.type": "send",
                    "messaging.batch.message_count": len(topics),
                    "kascribe.topics": tuple(dict.fromkeys(topics)),
                },
            )
        completed = CompletedRecord(record, publish, self._count)
        self._waiting.setdefault(partition, []).append(completed)
        if publish is not None:
            self._unsubmitted.setdefault(partition, []).append(completed)

    def completed(self, partitions: Iterable[AssignedPartition]) -> tuple[CompletedRecord, ...]:
        """Return the records of these partitions with outputs in the next batch."""
        return tuple(each for partition in partitions for each in self._unsubmitted.get(partition, ()))

    def submitted(
        self, partitions: Iterable[AssignedPartition], commits: Sequence[tuple[AssignedPartition, Commit]]
    ) -> None:
        """Note that this batch is on its way, with commits that cover all records that are completed now."""
        for partition in partitions:
            self._unsubmitted.pop(partition, None)
        for partition, commit in commits:
            if partition in self._waiting:
                self._commits.setdefault(partition, []).append((commit, self._count))
        if self._waiting:
            self._drop_gone()

    def delivered(self, records: Sequence[CompletedRecord]) -> None:
        """Note that the outputs of a batch are delivered."""
        for completed in records:
            completed.end_publish()

    def returned(self, partition: AssignedPartition, records: Sequence[CompletedRecord]) -> None:
        """Note that a batch of a partition comes back: its outputs are submitted again, before all others."""
        if records and not partition.is_gone:
            self._unsubmitted[partition] = [*records, *self._unsubmitted.get(partition, ())]

    def committed(self, partition: AssignedPartition, commit: Commit) -> None:
        """End the spans of the records that a commit covers."""
        numbers = [number for sent, number in self._commits.get(partition, ()) if sent == commit]
        if not numbers:
            return
        last = max(numbers)
        self._commits[partition] = [entry for entry in self._commits[partition] if entry[1] > last]
        waiting = self._waiting.pop(partition, [])
        for completed in waiting:
            if completed.number <= last:
                completed.end(committed=True)
        if left := [completed for completed in waiting if completed.number > last]:
            self._waiting[partition] = left

    def _drop_gone(self) -> None:
        """End the spans of records of partitions that are gone: another process runs them again."""
        for partition in [each for each in self._waiting if each.is_gone]:
            self._commits.pop(partition, None)
            for completed in self._waiting.pop(partition):
                completed.end(committed=False)
