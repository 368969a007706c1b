"""What leaves: outputs to the outbox, and commits once the outputs before them are delivered."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import positions
from consumers.runtime.assignment import Assignment
from consumers.runtime.execution.mailbox import Command
from consumers.runtime.flight import Flight
from consumers.runtime.load import Load
from consumers.runtime.monitoring import metrics as rows
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.partition import AssignedPartition
from consumers.runtime.ports import Outbox
from schemas.clock import Clock
from schemas.kafka.delivery import Batch, Commit, Delivery
from schemas.kafka.records import OutgoingRecord

VERIFY_SECONDS: Final = 5.0
"""For the broker to say what is committed when a partition is let go."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A batch on its way: how many records it settles, whose commits it carries, since when."""

    records: int
    commits: tuple[tuple[AssignedPartition, Commit], ...]
    at: float


class Outlet:
    """Collects what settled records give, and lets it out. The owner thread's alone, except where it says so.

    A batch takes everything collected so far, so a commit never leaves before the outputs that it covers.
    ``durable`` hears of partitions whose journal names all that waits to run.
    """

    def __init__(
        self,
        outbox: Outbox,
        consumer: Consumer,
        assignment: Assignment,
        load: Load,
        *,
        post: Callable[[Command], None],
        durable: Callable[[AssignedPartition], None],
        commit_interval_seconds: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._consumer = consumer
        self._assignment = assignment
        self._load = load
        self._post = post
        self._durable = durable
        self._commit_interval_seconds = commit_interval_seconds
        self._clock = clock
        self._outputs: list[OutgoingRecord] = []
        self._records = 0
        self._next_commit_at = 0.0
        self._sent: deque[_Sent] = deque()
        self._committing: deque[float] = deque()
        self._commit_seconds = metrics.histogram(rows.COMMIT_SECONDS)
        self._commit_failures = metrics.counter(rows.COMMIT_FAILURES)
        self._published = metrics.counter(rows.RECORDS_PUBLISHED)

    def add(self, flight: Flight, outputs: Sequence[OutgoingRecord]) -> None:
        """The record is done once these outputs are delivered."""
        partition, offset = flight.partition, flight.record.offset
        partition.ledger.complete(offset)
        partition.journal.complete(offset)
        if outputs:
            self._outputs.extend(outputs)
            self._records += 1
            self._load.undelivered_records += 1

    def release(self, *, urgent: bool = False) -> None:
        """Submits what was collected; commits go along when they are due. Never blocks."""
        now = self._clock.monotonic()
        due = urgent or now >= self._next_commit_at or self._a_name_waits()
        commits = self._commits() if due else ()
        if due:
            self._next_commit_at = now + self._commit_interval_seconds
        if not commits and not self._outputs:
            return
        batch = Batch(
            tuple(self._outputs),
            {partition.key: commit for partition, commit in commits},
            self._consumer.consumer_group_metadata() if commits else None,
        )
        sent = _Sent(self._records, commits, now)
        if not self._outbox.submit(batch, partial(self._settled, sent)):
            for partition, commit in commits:
                partition.commit_failed(commit)
            return
        self._sent.append(sent)
        self._outputs, self._records = [], 0

    @property
    def is_empty(self) -> bool:
        """Whether everything that was added is delivered."""
        return not self._outputs and not self._sent

    @property
    def oldest_sent_at(self) -> float | None:
        """When the oldest batch that is still on its way was submitted."""
        return self._sent[0].at if self._sent else None

    @property
    def problem(self) -> str | None:
        """Why the outbox delivers nothing, in a sentence; None while it does."""
        return self._outbox.problem

    @property
    def is_alive(self) -> bool:
        """Whether anything can leave at all."""
        return self._outbox.is_alive

    def answered(self, error: KafkaError | None, committed: Sequence[TopicPartition]) -> None:
        """The client's callback for commits that nobody waits for, on the owner thread."""
        if self._committing:
            self._commit_seconds.observe(self._clock.monotonic() - self._committing.popleft())
        for position in committed:
            self._answered(position, error or position.error)

    def _settled(self, sent: _Sent, delivery: Delivery) -> None:
        """On the outbox's thread."""
        self._post(partial(self._delivered, sent, delivery))

    def _delivered(self, sent: _Sent, delivery: Delivery) -> None:
        self._sent.remove(sent)
        self._load.undelivered_records -= sent.records
        for output in delivery.batch.outputs:
            self._published.labels(output.topic).inc()
        # Here a partition that is gone is found out, in the same step in which its commit would have been made.
        held = [(partition, commit) for partition, commit in sent.commits if partition.held]
        if delivery.committed:
            self._commit_seconds.observe(self._clock.monotonic() - sent.at)
            for partition, commit in held:
                self._confirm(partition, commit)
        elif held:
            self._commit(held, sent.at)

    def _commit(self, commits: Sequence[tuple[AssignedPartition, Commit]], since: float) -> None:
        offsets = [TopicPartition(*p.key, commit.offset, metadata=commit.metadata) for p, commit in commits]
        self._committing.append(since)
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
            if any(partition.leaving for partition, _ in commits):
                self._verify(commits)
        except KafkaException as error:
            for offset in offsets:
                self._answered(offset, error.args[0])

    def _verify(self, commits: Sequence[tuple[AssignedPartition, Commit]]) -> None:
        """Who lets go of a partition must know that its commit is through, also where callbacks are not served.

        Asks what is committed, which the broker answers after the commit on the same connection. A synchronous
        commit would do, but has no timeout, and during a rebalance it lasts as long as that does.
        """
        asked = positions([partition.key for partition, _ in commits])
        found = self._consumer.committed(asked, timeout=VERIFY_SECONDS)
        for (partition, commit), position in zip(commits, found, strict=True):
            if (position.offset, position.metadata or "") == (commit.offset, commit.metadata):
                self._confirm(partition, commit)
            else:
                self._failed(partition, commit, "another offset is committed")

    def _answered(self, position: TopicPartition, error: KafkaError | None) -> None:
        partition = self._assignment.partitions.get((position.topic, position.partition))
        if partition is None:
            return
        commit = Commit(position.offset, position.metadata or "")
        if error is None:
            self._confirm(partition, commit)
            return
        self._failed(partition, commit, error.str())

    def _failed(self, partition: AssignedPartition, commit: Commit, why: str) -> None:
        """The commit is offered again with the next batch: until then a crash means that more is done again."""
        if not partition.commit_failed(commit):
            return
        self._commit_failures.inc()
        _log.info("a commit did not get through", partition=repr(partition), why=why)

    def _confirm(self, partition: AssignedPartition, commit: Commit) -> None:
        partition.commit_confirmed(commit)
        if partition.unnamed and partition.journal.is_durable:
            self._durable(partition)

    def _a_name_waits(self) -> bool:
        partitions = self._assignment.partitions.values()
        return any(partition.unnamed and partition.journal.needs_commit for partition in partitions)

    def _commits(self) -> tuple[tuple[AssignedPartition, Commit], ...]:
        offered = ((partition, partition.commit()) for partition in self._assignment.partitions.values())
        return tuple((partition, commit) for partition, commit in offered if commit is not None)
