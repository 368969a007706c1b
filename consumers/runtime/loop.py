"""The main loop: one thread polls, hands records to workers, settles what they bring back, and lets it out."""

from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.kafka import client as kafka
from consumers.kafka.committed import fetch_committed
from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Outlet
from consumers.runtime.drain import Drain, work_seconds
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.intake import Intake
from consumers.runtime.load import Load
from consumers.runtime.monitoring import metrics as rows
from consumers.runtime.monitoring.broker_view import BrokerWatch
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.monitoring.snapshot import Observation
from consumers.runtime.settlement import Settlement
from schemas.clock import Clock
from schemas.settings import RuntimeSettings

_log: Final = structlog.get_logger(__name__)

BUSY_SECONDS: Final = 0.01
"""With work in flight and room for more, how long outcomes are waited for before new records are looked for."""

COMMITTED_RETRY_SECONDS: Final = 0.2
"""Between two questions about what is committed; without an answer nothing may be taken in."""

COMMIT_TRIES: Final = 10
"""At the end of the process, while the group goes on: a commit that meets a rebalance is refused."""


class Loop:
    """What the owner thread does, over and over; ``stops`` counts how often it was asked to stop."""

    def __init__(
        self,
        consumer: Consumer,
        mailbox: Mailbox,
        assignment: Assignment,
        intake: Intake,
        settlement: Settlement,
        outlet: Outlet,
        load: Load,
        *,
        observation: Observation,
        broker_watch: BrokerWatch,
        settings: RuntimeSettings,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.stops = 0
        self._consumer = consumer
        self._mailbox = mailbox
        self._assignment = assignment
        self._intake = intake
        self._settlement = settlement
        self._outlet = outlet
        self._load = load
        self._observation = observation
        self._broker_watch = broker_watch
        self._settings = settings
        self._clock = clock
        self._drain = Drain(assignment, intake, outlet, hurried=lambda: self.stops > 1, clock=clock)
        self._polled_at = clock.monotonic()
        self._poll_brought_records = False
        self._poll_gap = metrics.histogram(rows.POLL_GAP_SECONDS)
        self._rebalances = metrics.counter(rows.REBALANCES)

    def run(self, topics: list[str]) -> None:
        """Blocks until it is asked to stop and everything in flight is drained. Raises for what is fatal."""
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        while not self.stops:
            self._turn()
        self._intake.closed = True
        everything = list(self._assignment.partitions.values())
        self._drain.drain(
            everything,
            timeout_seconds=work_seconds(self._settings.drain_timeout_seconds),
            step=self._turn,
            commit_tries=COMMIT_TRIES,
        )

    def _turn(self) -> None:
        self._work(self._patience_seconds())
        self._poll()

    def _work(self, patience_seconds: float) -> None:
        """A turn without the poll, which is what may be done inside the group's callbacks."""
        for flight in self._mailbox.listen(patience_seconds):
            self._settlement.settle(flight)
        self._settlement.set_aside()
        self._outlet.release()
        self._intake.admit()
        if self._observation.observe(draining=self.stops > 0):
            self._broker_watch.joined(self._consumer.memberid())

    def _poll(self) -> None:
        """Takes what has arrived; while there is no room, only often enough to stay a member of the group."""
        room = self._intake.room
        now = self._clock.monotonic()
        if room <= 0 and now - self._polled_at < self._settings.poll_interval_seconds:
            self._poll_brought_records = False
            return
        self._poll_gap.observe(now - self._polled_at)
        self._polled_at = now
        self._intake.steer()
        first = self._consumer.poll(self._settings.poll_interval_seconds if self._is_idle() else 0.0)
        most = max(room, self._intake.reserved_room)
        rest = self._consumer.consume(most - 1, 0.0) if first is not None and most > 1 else []
        records = kafka.records_of([first, *rest], _complain) if first is not None else []
        self._poll_brought_records = bool(records)
        self._intake.receive(records)

    def _patience_seconds(self) -> float:
        """How long to wait for outcomes and commands before anything else is looked at."""
        if self._is_idle() or self._poll_brought_records:
            return 0.0
        if self._intake.room > 0:
            return BUSY_SECONDS
        until_poll = self._polled_at + self._settings.poll_interval_seconds - self._clock.monotonic()
        return max(0.0, until_poll)

    def _is_idle(self) -> bool:
        return not self._load.records and self._outlet.is_empty

    def _assigned(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        self._rebalances.labels("assigned").inc()
        if self._intake.closed:
            return  # nothing is taken in any more, and leaving must not wait for what is committed
        # Another member may wait for what is in flight of other partitions, so work goes on between the tries.
        positions = fetch_committed(
            consumer,
            assigned,
            before_retry=lambda: self._work(COMMITTED_RETRY_SECONDS),
            is_stopped=lambda: self.stops > 0,
            clock=self._clock,
        )
        if positions is None:
            return
        self._drain.drop(self._assignment.held(kafka.keys(positions)))
        self._assignment.take(positions)
        self._broker_watch.ask()

    def _revoked(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self._rebalances.labels("revoked").inc()
        self._drain.drain(
            self._assignment.held(kafka.keys(revoked)),
            timeout_seconds=self._settings.revoke_timeout_seconds,
            step=lambda: self._work(BUSY_SECONDS),
            commit_tries=1,
        )

    def _lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._rebalances.labels("lost").inc()
        self._drain.drop(self._assignment.held(kafka.keys(lost)))


def _complain(error: KafkaError) -> None:
    """Logs what the client reports, and raises what it cannot recover from."""
    if kafka.is_fatal(error):
        raise KafkaException(error)
    _log.warning("the Kafka client reports a problem", code=error.name(), error=error.str())
