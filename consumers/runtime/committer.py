"""Publishes, then commits: outputs go to the outbox; offsets follow once the outputs before them are delivered."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers import metrics as rows
from consumers.kafka.client import positions
from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.execution.mailbox import Command
from consumers.runtime.execution.record_span import CompletedRecord, DeliverySpans
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.partition import AssignedPartition, Flight, PartitionState
from consumers.runtime.ports import Outbox
from schemas.clock import Clock
from schemas.kafka.delivery import Batch, Commit, Delivery
from schemas.kafka.records import OutgoingRecord
from schemas.options import Lane

CHECK_SECONDS: Final = 0.01
"""Between two looks for something to commit, which cost some microseconds a partition."""

VERIFY_SECONDS: Final = 5.0
"""Timeout of the request for committed offsets when a partition is released."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A submitted batch: the number of records it settles by partition, its commits, and when it was submitted.

    ``traced`` are those of its records that have spans.
    """

    records: Mapping[AssignedPartition, int]
    commits: tuple[tuple[AssignedPartition, Commit], ...]
    at: float
    traced: tuple[CompletedRecord, ...]


class Committer:
    """Submits the outputs of completed records; commits their offsets after delivery. The owner thread's alone.

    A batch takes everything completed so far, so a commit never leaves before the outputs that it covers. A
    transactional outbox gets a batch for each partition: its outputs, and the commit that covers exactly them.
    ``post`` passes a command to the owner thread. ``on_durable`` gets each partition whose journal names
    every flight that waits to run.
    """

    def __init__(
        self,
        outbox: Outbox,
        consumer: Consumer,
        assignment: Assignment,
        flow_control: FlowControl,
        *,
        post: Callable[[Command], None],
        on_durable: Callable[[AssignedPartition], None],
        role: str,
        commit_interval_seconds: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._consumer = consumer
        self._assignment = assignment
        self._flow_control = flow_control
        self._post = post
        self._on_durable = on_durable
        self._commit_interval_seconds = commit_interval_seconds
        self._clock = clock
        # Records whose outputs have not been submitted, by partition, in the order of the first output.
        self._unsubmitted: dict[AssignedPartition, int] = {}
        self._next_commit_at = 0.0
        self._next_check_at = 0.0
        self._sent: deque[_Sent] = deque()
        self._commits_began_at: deque[float] = deque()
        self._spans = DeliverySpans()
        self._commit_seconds = metrics.histogram(rows.COMMIT_SECONDS)
        self._commit_failures = metrics.counter(rows.COMMIT_FAILURES)
        self._published = metrics.counter(rows.RECORDS_PUBLISHED)
        self._end_to_end = {
            lane.value: metrics.histogram(rows.END_TO_END_SECONDS).labels(role, lane.value) for lane in Lane
        }

    def complete(self, flight: Flight, outputs: Sequence[OutgoingRecord]) -> None:
        """Note that the record is done once these outputs are delivered."""
        flight.partition.complete(flight.record.offset, outputs)
        if flight.span is not None:
            self._spans.add(flight.partition, flight.span, [output.topic for output in outputs])
        if outputs:
            self._unsubmitted[flight.partition] = self._unsubmitted.get(flight.partition, 0) + 1
            self._flow_control.await_delivery(1)

    def submit(self, *, urgent: bool = False) -> None:
        """Submit the outputs of completed records, with commits when they are due. Never blocks."""
        now = self._clock.monotonic()
        self._drop_gone()
        # After a pause the first output takes its commit along.
        is_time = now >= self._next_commit_at and (bool(self._unsubmitted) or now >= self._next_check_at)
        due = urgent or is_time or self._is_name_waiting()
        if due:
            self._next_check_at = now + CHECK_SECONDS
        if self._outbox.is_transactional:
            self._submit_by_partition(now, due=due)
        else:
            self._submit_together(now, due=due)

    def _drop_gone(self) -> None:
        """Forget outputs of partitions that went before the outbox had room: their next owners publish them."""
        for partition in [each for each in self._unsubmitted if each.is_gone]:
            self._flow_control.await_delivery(-self._unsubmitted.pop(partition))
            self._spans.submitted([partition], ())

    def _submit_together(self, now: float, *, due: bool) -> None:
        commits = self._take_commits() if due else ()
        if commits:
            self._next_commit_at = now + self._commit_interval_seconds
        if not commits and not self._unsubmitted:
            return
        outputs = tuple(output for partition in self._unsubmitted for output in partition.outputs)
        batch = Batch(outputs, {partition.key: commit for partition, commit in commits})
        traced = self._spans.completed(self._unsubmitted)
        self._send(batch, _Sent(dict(self._unsubmitted), commits, now, traced))

    def _submit_by_partition(self, now: float, *, due: bool) -> None:
        metadata: object = None
        for partition in tuple(self._assignment.partitions.values() if due else self._unsubmitted):
            records = self._unsubmitted.get(partition, 0)
            commit = partition.commit()
            if commit is None and not records:
                continue
            # Taken here: later metadata could be that of another generation, in which another member owns it.
            metadata = metadata or self._consumer.consumer_group_metadata()
            batch = Batch(
                tuple(partition.outputs),
                {partition.key: commit} if commit else {},
                metadata,
                partition=partition.key,
                owner=self,
            )
            commits = ((partition, commit),) if commit else ()
            traced = self._spans.completed([partition])
            if not self._send(batch, _Sent({partition: records} if records else {}, commits, now, traced)):
                return

    def _send(self, batch: Batch, sent: _Sent) -> bool:
        if not self._outbox.submit(batch, partial(self._on_outbox_delivery, sent)):
            for partition, commit in sent.commits:
                partition.books.fail(commit)
            return False
        self._sent.append(sent)
        self._spans.submitted(sent.records, sent.commits)
        for partition in sent.records:
            partition.clear_outputs()
            del self._unsubmitted[partition]
        return True

    @property
    def is_empty(self) -> bool:
        """Whether the outputs of all completed records are delivered."""
        return not self._unsubmitted and not self._sent

    @property
    def oldest_sent_at(self) -> float | None:
        """When the oldest batch that is still on its way was submitted."""
        return self._sent[0].at if self._sent else None

    @property
    def problem(self) -> str | None:
        """The reason why the outbox delivers nothing, as a sentence; None while it delivers."""
        return self._outbox.problem

    @property
    def is_alive(self) -> bool:
        """Whether the outbox works: see ``Outbox.is_alive``."""
        return self._outbox.is_alive

    def on_commit(self, error: KafkaError | None, committed: Sequence[TopicPartition]) -> None:
        """Handle the client's answer to an asynchronous commit. The client's callback, on the owner thread."""
        if self._commits_began_at:
            self._commit_seconds.observe(self._clock.monotonic() - self._commits_began_at.popleft())
        for position in committed:
            self._take_answer(position, error or position.error)

    def _on_outbox_delivery(self, sent: _Sent, delivery: Delivery) -> None:
        """Post a delivery to the owner thread. On the outbox's thread."""
        self._post(partial(self._on_delivery, sent, delivery))

    def _on_delivery(self, sent: _Sent, delivery: Delivery) -> None:
        self._sent.remove(sent)
        if delivery.returned:
            self._take_back(sent, delivery.batch)
            delivery.acknowledge()
            return
        self._flow_control.await_delivery(-sum(sent.records.values()))
        self._spans.delivered(sent.traced)
        for output in delivery.batch.outputs:
            self._published.labels(output.topic).inc()
            if output.answers:
                seconds = (self._clock.now() - output.answers.requested_at).total_seconds()
                self._end_to_end[output.answers.lane].observe(max(0.0, seconds))
        # Partitions that are gone are left out here, in the same step that commits, so none can go in between.
        held = [(partition, commit) for partition, commit in sent.commits if not partition.is_gone]
        if delivery.committed:
            self._commit_seconds.observe(self._clock.monotonic() - sent.at)
            for partition, commit in held:
                self._confirm(partition, commit)
        elif held:
            self._commit(held, sent.at)

    def _take_back(self, sent: _Sent, batch: Batch) -> None:
        """Keep the outputs of a batch that was not delivered, before those completed since. Drop what is gone."""
        for partition, commit in sent.commits:
            partition.books.fail(commit)
        for partition, records in sent.records.items():
            self._spans.returned(partition, sent.traced)
            if partition.is_gone:
                self._flow_control.await_delivery(-records)
            else:
                partition.put_back(batch.outputs)
                self._unsubmitted[partition] = self._unsubmitted.get(partition, 0) + records

    def _commit(self, commits: Sequence[tuple[AssignedPartition, Commit]], since: float) -> None:
        offsets = [TopicPartition(*p.key, commit.offset, metadata=commit.metadata) for p, commit in commits]
        self._commits_began_at.append(since)
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
            if any(partition.state is PartitionState.LEAVING for partition, _ in commits):
                self._verify(commits)
        except KafkaException as error:
            for offset in offsets:
                self._take_answer(offset, error.args[0])

    def _verify(self, commits: Sequence[tuple[AssignedPartition, Commit]]) -> None:
        """Confirm the final commit synchronously: commit callbacks are not served inside rebalance callbacks.

        Requests the committed offsets, which the broker answers after the commit on the same connection. A
        synchronous commit would serve too, but it has no timeout and blocks for as long as a rebalance lasts.
        """
        requested = positions([partition.key for partition, _ in commits])
        found = self._consumer.committed(requested, timeout=VERIFY_SECONDS)
        for (partition, commit), position in zip(commits, found, strict=True):
            if (position.offset, position.metadata or "") == (commit.offset, commit.metadata):
                self._confirm(partition, commit)
            else:
                self._fail(partition, commit, "another offset is committed")

    def _take_answer(self, position: TopicPartition, error: KafkaError | None) -> None:
        partition = self._assignment.partitions.get((position.topic, position.partition))
        if partition is None:
            return
        commit = Commit(position.offset, position.metadata or "")
        if error is None:
            self._confirm(partition, commit)
        else:
            self._fail(partition, commit, error.str())

    def _confirm(self, partition: AssignedPartition, commit: Commit) -> None:
        partition.books.confirm(commit)
        self._spans.committed(partition, commit)
        if partition.unnamed and partition.books.journal.is_durable:
            self._on_durable(partition)

    def _fail(self, partition: AssignedPartition, commit: Commit, why: str) -> None:
        """Offer the commit again with the next batch; a crash before that repeats more records."""
        if not partition.books.fail(commit):
            return
        self._commit_failures.inc()
        _log.info("commit failed", partition=repr(partition), error=why)

    def _is_name_waiting(self) -> bool:
        partitions = self._assignment.partitions.values()
        return any(partition.unnamed and partition.books.journal.needs_commit for partition in partitions)

    def _take_commits(self) -> tuple[tuple[AssignedPartition, Commit], ...]:
        offered = ((partition, partition.commit()) for partition in self._assignment.partitions.values())
        return tuple((partition, commit) for partition, commit in offered if commit is not None)
