"""The runtime without a broker and without running threads: what it submits to the workers stays in line."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.monitoring.membership import Membership
from consumers.runtime.monitoring.snapshot import Snapshot
from consumers.runtime.partition import Flight
from consumers.runtime.ports import OnDelivered, Stage
from consumers.runtime.runtime import Runtime
from schemas.events import AudioReference
from schemas.kafka.delivery import Batch, Commit, Delivery, Partition
from schemas.kafka.records import Headers, OutgoingRecord, Record
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.options import Lane
from schemas.settings import RuntimeSettings, Settings
from tests.flow.stages import TOPIC, CommandStage
from tests.support.clock import HandClock


class HeldOutbox:
    """An outbox whose broker is silent; reports are lost, which is allowed."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.is_alive = True
        self.is_transactional = False
        self.is_full = False
        self.batches: list[tuple[Batch, OnDelivered]] = []

    def submit(self, batch: Batch, on_delivered: OnDelivered) -> bool:
        """Keep the batch, and return whether there was room."""
        if self.is_full:
            return False
        self.batches.append((batch, on_delivered))
        return True

    def release(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Return the batches with commits of these partitions, the latest first."""
        assert timeout_seconds > 0
        returned = [each for each in self.batches if not each[0].commits.keys().isdisjoint(partitions)]
        if self.is_transactional:
            self.give_back(returned)

    def give_back(self, returned: Sequence[tuple[Batch, OnDelivered]]) -> None:
        """Return batches, the latest first, as after an abort."""
        self.batches = [each for each in self.batches if each not in returned]
        for batch, on_delivered in reversed(returned):
            on_delivered(Delivery(batch, committed=False, returned=True))

    def report(self, record: OutgoingRecord) -> None:
        """Lose the record."""

    def close(self, *, timeout_seconds: float) -> bool:
        """Return at once, however much time there is; True if nothing is undelivered."""
        return timeout_seconds >= 0 and not self.batches


class RuntimeBench:
    """The real runtime, whose threads do not run: the test does the owner's turns and the workers' part.

    Partitions of one topic are assigned as their commits describe them: ``(offset, metadata)`` each.
    """

    def __init__(
        self,
        consumer: Consumer,
        committed: Sequence[tuple[int, str]],
        topic: str,
        settings: RuntimeSettings,
        *,
        stage: Stage | None = None,
        started_at: float = 0.0,
    ) -> None:
        self.registry = CollectorRegistry()
        self.clock = HandClock()
        self.clock.seconds = started_at
        self.stage: Stage = stage or CommandStage()
        self.outbox = HeldOutbox()
        self.runtime = Runtime(
            stage=self.stage,
            outbox=self.outbox,
            settings=Settings(runtime=settings),
            metrics=Metrics(self.registry),
            clock=self.clock,
            make_consumer=lambda *_, **__: consumer,
        )
        self.mailbox = self.runtime.mailbox
        self.assignment = self.runtime.assignment
        self.flow_control = self.runtime.flow_control
        self.dispatch = self.runtime.dispatch
        self.intake = self.runtime.intake
        self.committer = self.runtime.committer
        self._topic = topic
        self.assigned(*(Commit(*position) for position in committed))

    def assigned(self, *committed: Commit) -> None:
        """Assign these partitions, numbered from 0; also those that are assigned already."""
        self.assignment.take(
            TopicPartition(self._topic, number, commit.offset, metadata=commit.metadata)
            for number, commit in enumerate(committed)
        )

    def arrive(
        self,
        *offsets: int,
        partition: int = 0,
        headers: Headers = (),
        timestamp_ms: int = 0,
        lane: Lane = Lane.BULK,
    ) -> None:
        """Receive records as from a poll."""
        value = reference_value(lane)
        self.intake.receive(
            [Record(self._topic, partition, offset, b"key", value, headers, timestamp_ms) for offset in offsets]
        )

    def turn(self) -> list[Flight]:
        """Admit what there is room for and commit what is to be committed; return what was handed over."""
        self.intake.admit()
        self.commit()
        return self.handed_over()

    def handed_over(self) -> list[Flight]:
        """Take what lies in line for the workers; each flight is returned once."""
        return list(iter(self.runtime.workers.next_flight, None))

    def commit(self) -> None:
        """Confirm every partition's commit at once."""
        for partition in self.assignment.partitions.values():
            commit = partition.commit()
            if commit is not None:
                partition.books.confirm(commit)
            if partition.unnamed and partition.books.journal.is_durable:
                self.dispatch.start_durable(partition)

    def complete(self, flight: Flight) -> None:
        """End an attempt well, with no outputs."""
        self.dispatch.release(flight)
        flight.partition.complete(flight.record.offset, ())

    def finish(self, flight: Flight, *outputs: OutgoingRecord) -> None:
        """End an attempt well and submit its outputs; nothing is committed until they are delivered."""
        self.dispatch.release(flight)
        self.committer.complete(flight, outputs)
        self.committer.submit()

    def park(self, flight: Flight, dependency: str = "s3") -> None:
        """End an attempt because a service is down."""
        self.dispatch.park(flight, dependency)

    def sample(self, name: str, **labels: str) -> float:
        """Read a metric's value; 0 when it was never set."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def snapshot(self) -> Snapshot:
        """Take a snapshot of the loop as it is now, after it has listened."""
        self.mailbox.listen(0)
        self.runtime.membership_watch.membership = Membership(answered_at=self.clock.seconds, has_answered=True)
        self.runtime.snapshot_taker.take(is_draining=False)
        return self.runtime.snapshot()


def reference_value(lane: Lane) -> bytes:
    """Encode a reference as our producers write it."""
    event = AudioReference(event_id="e", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), uri="s3://a/b", lane=lane)
    return encode(event, topic=TOPIC, key="key", trace=Trace.start()).value or b""


@contextmanager
def unconnected() -> Iterator[Consumer]:
    """Yield a real client that finds no broker."""
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:9", "group.id": "unused", "log_level": 0})
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def runtime_bench(
    *committed: tuple[int, str],
    topic: str = TOPIC,
    settings: RuntimeSettings | None = None,
    started_at: float = 0.0,
) -> Iterator[RuntimeBench]:
    """Yield a runtime whose partitions are assigned already, on a machine that started so many seconds ago."""
    with unconnected() as consumer:
        yield RuntimeBench(consumer, committed, topic, settings or RuntimeSettings(), started_at=started_at)


def offsets(flights: Sequence[Flight]) -> list[int]:
    """Return the offsets of flights."""
    return [flight.record.offset for flight in flights]
