"""The consumer group's callbacks: partitions assigned, revoked or lost, and all released when the process ends."""

from typing import Final

import structlog
from confluent_kafka import Consumer, TopicPartition

from consumers import metrics as rows
from consumers.kafka import client
from consumers.kafka.committed import fetch_committed
from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.drain import Drain, work_seconds
from consumers.runtime.loop import BUSY_SECONDS, Loop
from consumers.runtime.monitoring.broker_view import MembershipWatch
from schemas.clock import Clock
from schemas.settings import RuntimeSettings

COMMITTED_RETRY_SECONDS: Final = 0.2
"""Between two requests for committed offsets; without an answer nothing may be admitted."""

COMMIT_TRIES: Final = 10
"""When the process ends and the group does not wait for it: the broker refuses a commit during a rebalance."""

LOGGED_PARTITIONS: Final = 50
"""Most partitions that a line lists; it counts all."""

_log: Final = structlog.get_logger(__name__)


class Rebalance:
    """Takes partitions, drains them and releases them. On the owner thread, mostly inside the client's poll."""

    def __init__(
        self,
        loop: Loop,
        assignment: Assignment,
        drain: Drain,
        membership_watch: MembershipWatch,
        *,
        settings: RuntimeSettings,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._loop = loop
        self._assignment = assignment
        self._drain = drain
        self._membership_watch = membership_watch
        self._settings = settings
        self._clock = clock
        self._rebalances = metrics.counter(rows.REBALANCES)

    def subscribe(self, consumer: Consumer, topics: list[str]) -> None:
        """Join the group. Returns at once."""
        consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def leave(self) -> None:
        """Drain every partition, while the loop turns. Blocks within the drain's limit."""
        self._drain.drain(
            list(self._assignment.partitions.values()),
            timeout_seconds=work_seconds(self._settings.drain_timeout_seconds),
            step=self._loop.turn,
            commit_tries=COMMIT_TRIES,
        )

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        self._rebalances.labels("assigned").inc()
        _log.info("partitions assigned", partitions=_shown(assigned), count=len(assigned))
        if self._loop.stops:
            return  # nothing is admitted any more, and leaving must not wait for committed offsets
        # Before the offsets are read: a transaction of a partition that is held still could change them.
        self._drain.drop(self._assignment.held(client.keys(assigned)))
        # Another member may wait for records in flight of other partitions, so work continues between the tries.
        positions = fetch_committed(
            consumer,
            assigned,
            before_retry=lambda: self._loop.work(COMMITTED_RETRY_SECONDS),
            is_stopped=lambda: self._loop.stops > 0,
            clock=self._clock,
        )
        if positions is None:
            return
        self._assignment.take(positions)
        self._membership_watch.refresh()

    def _on_revoke(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self._rebalances.labels("revoked").inc()
        _log.info("partitions revoked", partitions=_shown(revoked), count=len(revoked))
        self._drain.drain(
            self._assignment.held(client.keys(revoked)),
            timeout_seconds=self._settings.revoke_timeout_seconds,
            step=lambda: self._loop.work(BUSY_SECONDS),
            commit_tries=1,
        )

    def _on_lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._rebalances.labels("lost").inc()
        _log.warning("partitions lost", partitions=_shown(lost), count=len(lost))
        self._drain.drop(self._assignment.held(client.keys(lost)))


def _shown(partitions: list[TopicPartition]) -> list[str]:
    return [f"{each.topic}[{each.partition}]" for each in partitions[:LOGGED_PARTITIONS]]
