"""The runtime's intake without a broker and without threads: what is handed over lies in line for the test."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Outlet
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.execution.workers import Workers
from consumers.runtime.flight import Flight
from consumers.runtime.intake import Intake
from consumers.runtime.load import Load
from consumers.runtime.monitoring.membership import Membership
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.monitoring.snapshot import Observation, Snapshot
from consumers.runtime.ports import Settled
from consumers.runtime.runtime import _Support
from consumers.runtime.stage import Stage
from schemas.events import AudioReference
from schemas.kafka.delivery import Batch, Commit
from schemas.kafka.records import Headers, OutgoingRecord, Record
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.options import Lane
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC, CommandStage
from tests.support.clock import HandClock


class HeldOutbox:
    """An outbox whose broker is silent; reports are lost, which is allowed."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.is_alive = True
        self.is_full = False
        self.batches: list[tuple[Batch, Settled]] = []

    @property
    def pending(self) -> int:
        """Batches that wait for the broker."""
        return len(self.batches)

    def submit(self, batch: Batch, settled: Settled) -> bool:
        """Takes it in unless it is full."""
        if self.is_full:
            return False
        self.batches.append((batch, settled))
        return True

    def report(self, record: OutgoingRecord) -> None:
        """Lost."""

    def close(self, *, timeout_seconds: float) -> bool:
        """Gives up at once, however much time there is."""
        return timeout_seconds >= 0 and not self.batches


class TakingIn:
    """Partitions of one topic, assigned as their commits describe them: ``(offset, metadata)`` each."""

    def __init__(
        self,
        consumer: Consumer,
        committed: Sequence[tuple[int, str]],
        topic: str,
        settings: RuntimeSettings,
        *,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = CollectorRegistry()
        metrics = Metrics(self._registry)
        self.clock = HandClock()
        self.stage: Stage = CommandStage()
        self.mailbox = Mailbox(self.clock)
        self.outbox = HeldOutbox()
        self.assignment = Assignment(settings, metrics)
        self.load = Load(settings)
        self.workers = Workers(self.stage, threads=1, done=self.mailbox.put_flight)
        self.intake = Intake(
            consumer,
            self.assignment,
            self.workers,
            self.load,
            _Support(self.outbox, self.mailbox, self.load, settings),
            settings=settings,
            metrics=metrics,
            clock=self.clock,
            doubt=doubt,
        )
        self.outlet = Outlet(
            self.outbox,
            consumer,
            self.assignment,
            self.load,
            post=self.mailbox.put_command,
            durable=self.intake.start_durable,
            commit_interval_seconds=settings.commit_interval_seconds,
            metrics=metrics,
            clock=self.clock,
        )
        self._topic = topic
        self._observation = Observation(
            self.assignment,
            self.intake,
            self.load,
            self.mailbox,
            self.outlet,
            membership=lambda: Membership(answered_at=self.clock.seconds, has_answered=True),
            answered_at=dict,
            metrics=metrics,
            clock=self.clock,
        )
        self.assigned(*(Commit(*position) for position in committed))

    def assigned(self, *committed: Commit) -> None:
        """The group gives these partitions, from 0 on, also again."""
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
        """Records come from a poll."""
        value = reference_value(lane)
        self.intake.receive(
            [Record(self._topic, partition, offset, b"key", value, headers, timestamp_ms) for offset in offsets]
        )

    def turn(self) -> list[Flight]:
        """Admits what there is room for, commits what wants to be committed; what was handed over by that."""
        self.intake.admit()
        self.commit()
        return self.handed_over()

    def handed_over(self) -> list[Flight]:
        """What lies in line for the workers; each is given once."""
        return list(iter(lambda: self.workers._next(tuple(Lane)), None))

    def commit(self) -> None:
        """Every partition's commit gets through at once."""
        for partition in self.assignment.partitions.values():
            commit = partition.commit()
            if commit is not None:
                partition.commit_confirmed(commit)
            if partition.unnamed and partition.journal.is_durable:
                self.intake.start_durable(partition)

    def complete(self, flight: Flight) -> None:
        """The attempt ended well, and nothing is left to do."""
        self.intake.ended(flight)
        self.intake.settled(flight)
        flight.partition.ledger.complete(flight.record.offset)
        flight.partition.journal.complete(flight.record.offset)

    def finish(self, flight: Flight, *outputs: OutgoingRecord) -> None:
        """The attempt ended well; its outputs are on their way, and nothing is committed until they are there."""
        self.intake.ended(flight)
        self.intake.settled(flight)
        self.outlet.add(flight, outputs)
        self.outlet.release()

    def park(self, flight: Flight, dependency: str = "s3") -> None:
        """The attempt ended because a service is down."""
        self.intake.ended(flight)
        self.intake.park(flight, dependency)

    def sample(self, name: str, **labels: str) -> float:
        """A metric's value; 0 when it was never set."""
        return self._registry.get_sample_value(name, labels) or 0.0

    def snapshot(self) -> Snapshot:
        """What the loop looks like now, after it has listened."""
        self.mailbox.listen(0)
        self._observation.observe(draining=False)
        return self._observation.latest


def reference_value(lane: Lane) -> bytes:
    """A reference as our producers write it."""
    event = AudioReference(event_id="e", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), uri="s3://a/b", lane=lane)
    return encode(event, topic=TOPIC, key="key", trace=Trace.start()).value or b""


@contextmanager
def taking_in(
    *committed: tuple[int, str], topic: str = TOPIC, settings: RuntimeSettings | None = None
) -> Iterator[TakingIn]:
    """An intake whose partitions are assigned already."""
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:9", "group.id": "nobody", "log_level": 0})
    try:
        yield TakingIn(consumer, committed, topic, settings or RuntimeSettings())
    finally:
        consumer.close()


def offsets(flights: Sequence[Flight]) -> list[int]:
    """Which records these are."""
    return [flight.record.offset for flight in flights]
