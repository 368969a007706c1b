"""The main loop: one thread polls, hands records to workers, settles what they return, publishes and commits."""

from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException

from consumers import metrics as rows
from consumers.kafka import client
from consumers.metrics import Metrics
from consumers.runtime.committer import Committer
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.intake import Intake
from consumers.runtime.monitoring.broker_view import MembershipWatch
from consumers.runtime.monitoring.snapshot import SnapshotTaker
from consumers.runtime.settlement import Settlement
from schemas.clock import Clock

_log: Final = structlog.get_logger(__name__)

BUSY_SECONDS: Final = 0.01
"""How long the loop waits for ended flights before it polls again, with work in flight and room for more."""


class Loop:
    """The loop of the owner thread. ``stops`` counts the requests to stop."""

    def __init__(
        self,
        consumer: Consumer,
        mailbox: Mailbox,
        intake: Intake,
        settlement: Settlement,
        committer: Committer,
        *,
        flow_control: FlowControl,
        snapshot_taker: SnapshotTaker,
        membership_watch: MembershipWatch,
        poll_interval_seconds: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.stops = 0
        self._consumer = consumer
        self._mailbox = mailbox
        self._intake = intake
        self._settlement = settlement
        self._committer = committer
        self._flow_control = flow_control
        self._snapshot_taker = snapshot_taker
        self._membership_watch = membership_watch
        self._poll_interval_seconds = poll_interval_seconds
        self._clock = clock
        self._polled_at = clock.monotonic()
        self._poll_returned_records = False
        self._poll_gap = metrics.histogram(rows.POLL_GAP_SECONDS)

    def run(self) -> None:
        """Turn until the first ``stop``. Blocks; raises KafkaException for what the client cannot recover from."""
        while not self.stops:
            self.turn()

    def stop(self, times: int = 1) -> None:
        """Stop the loop; after a second stop it waits for no work. From any thread or signal handler."""
        self.stops += times

    @property
    def is_hurried(self) -> bool:
        """Whether the process has to stop at once."""
        return self.stops > 1

    def turn(self) -> None:
        """Work, then poll."""
        self.work(self._mail_wait_seconds())
        self._poll()

    def work(self, timeout_seconds: float) -> None:
        """Do a turn without the poll, as the group's callbacks may. Waits up to ``timeout_seconds`` for mail."""
        for flight in self._mailbox.listen(timeout_seconds):
            self._settlement.settle(flight)
        self._settlement.settle_set_aside()
        self._committer.submit()
        self._intake.admit()
        if self._snapshot_taker.take(is_draining=self.stops > 0):
            self._membership_watch.set_member_id(self._consumer.memberid())

    def _poll(self) -> None:
        """Poll for records; without room, only often enough to stay a member of the group."""
        room = self._intake.room
        now = self._clock.monotonic()
        if room <= 0 and now - self._polled_at < self._poll_interval_seconds:
            self._poll_returned_records = False
            return
        self._poll_gap.observe(now - self._polled_at)
        self._polled_at = now
        self._intake.update_pauses()
        first = self._consumer.poll(self._poll_interval_seconds if self._is_idle() else 0.0)
        most = max(room, self._intake.reserved_room)
        rest = self._consumer.consume(most - 1, 0.0) if first is not None and most > 1 else []
        records = client.records_of([first, *rest], _report) if first is not None else []
        self._poll_returned_records = bool(records)
        self._intake.receive(records)

    def _mail_wait_seconds(self) -> float:
        """Return how long to wait for ended flights and commands before the next poll."""
        if self._is_idle() or self._poll_returned_records:
            return 0.0
        if self._intake.room > 0:
            return BUSY_SECONDS
        until_poll = self._polled_at + self._poll_interval_seconds - self._clock.monotonic()
        return max(0.0, until_poll)

    def _is_idle(self) -> bool:
        return not self._flow_control.records and self._committer.is_empty


def _report(error: KafkaError) -> None:
    """Log an error of the client; raise KafkaException for one that it cannot recover from."""
    if client.is_fatal(error):
        raise KafkaException(error)
    _log.warning("Kafka client reports a problem", code=error.name(), error=error.str())
