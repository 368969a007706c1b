"""Snapshots of the runtime, taken every second, and the gauges set from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from consumers import metrics as rows
from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Committer
from consumers.runtime.dispatch import Dispatch
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.monitoring.backlog import Backlog
from consumers.runtime.monitoring.membership import KAFKA, SILENCE_SECONDS, Membership
from consumers.runtime.partition import AssignedPartition
from schemas.clock import Clock
from schemas.kafka.delivery import Partition

INTERVAL_SECONDS: Final = 1.0
"""Between two snapshots; each costs a few microseconds per partition."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition. ``committed_offset`` is None before the first commit; the age is 0 with nothing in flight."""

    committed_offset: int | None
    position_offset: int
    in_flight_records: int
    waiting_records: int
    oldest_incomplete_age_seconds: float
    gap_width_offsets: int
    metadata_characters: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The runtime at one moment. Times are the clock's monotonic seconds.

    ``turned_at`` is the loop's last turn, ``active_at`` the last activity: an attempt that began, reported or
    ended, or mail for the loop. ``oldest_undelivered_age_seconds`` is the age of the oldest batch that the broker
    has not confirmed. ``answered_at`` is when each service that every record needs last answered.
    """

    taken_at: float = 0.0
    turned_at: float = 0.0
    active_at: float = 0.0
    is_draining: bool = False
    in_flight_records: int = 0
    in_flight_bytes: int = 0
    in_flight_audio_seconds: float = 0.0
    waiting_records: int = 0
    undelivered_records: int = 0
    oldest_undelivered_age_seconds: float = 0.0
    delivery_problem: str | None = None
    outbox_is_alive: bool = True
    dependencies_down: tuple[str, ...] = ()
    membership: Membership = field(default_factory=Membership)
    answered_at: Mapping[str, float] = field(default_factory=dict)
    partitions: Mapping[Partition, PartitionView] = field(default_factory=dict)

    def silence_seconds(self, *, now: float) -> dict[str, float]:
        """Return the services, Kafka among them, that have been silent for too long, and for how long."""
        answered_at = {KAFKA: self.membership.answered_at, **self.answered_at}
        return {service: now - at for service, at in answered_at.items() if now - at >= SILENCE_SECONDS}


class SnapshotTaker:
    """Takes snapshots on the owner thread and sets the gauges; ``latest`` may be read from any thread.

    ``ends`` returns the last known ends of the logs.
    """

    def __init__(
        self,
        assignment: Assignment,
        dispatch: Dispatch,
        flow_control: FlowControl,
        mailbox: Mailbox,
        committer: Committer,
        *,
        backlog: Backlog,
        ends: Callable[[], Mapping[Partition, int]],
        membership: Callable[[], Membership],
        answered_at: Callable[[], Mapping[str, float]],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        now = clock.monotonic()
        self.latest = Snapshot(
            taken_at=-INTERVAL_SECONDS,
            turned_at=now,
            active_at=now,
            membership=membership(),
            answered_at=answered_at(),
        )
        self._assignment = assignment
        self._dispatch = dispatch
        self._flow_control = flow_control
        self._mailbox = mailbox
        self._committer = committer
        self._backlog = backlog
        self._ends = ends
        self._membership = membership
        self._answered_at = answered_at
        self._metrics = metrics
        self._clock = clock
        self._labelled: set[Partition] = set()
        self._silent: frozenset[str] = frozenset()

    def take(self, *, is_draining: bool) -> bool:
        """Take a snapshot if the last is old enough or a drain has begun; return whether one was taken."""
        now = self._clock.monotonic()
        if now - self.latest.taken_at < INTERVAL_SECONDS and self.latest.is_draining == is_draining:
            return False
        flow, committer = self._flow_control, self._committer
        sent_at = committer.oldest_sent_at
        self.latest = Snapshot(
            taken_at=now,
            turned_at=self._mailbox.listened_at,
            active_at=max(self._mailbox.active_at, self._dispatch.submitted_at),
            is_draining=is_draining,
            in_flight_records=flow.records,
            in_flight_bytes=flow.size_bytes,
            in_flight_audio_seconds=flow.audio_seconds,
            waiting_records=self._assignment.waiting_records,
            undelivered_records=flow.undelivered_records,
            oldest_undelivered_age_seconds=now - (now if sent_at is None else sent_at),
            delivery_problem=committer.problem,
            outbox_is_alive=committer.is_alive,
            dependencies_down=tuple(sorted(self._dispatch.parked)),
            membership=self._membership(),
            answered_at=self._answered_at(),
            partitions={key: _view(partition, now) for key, partition in self._assignment.partitions.items()},
        )
        self._set_gauges(self.latest)
        self._backlog.measure(self._assignment.partitions.values(), self._ends())
        return True

    def _set_gauges(self, snapshot: Snapshot) -> None:
        gauge = self._metrics.gauge
        gauge(rows.IN_FLIGHT_RECORDS).set(snapshot.in_flight_records)
        gauge(rows.IN_FLIGHT_BYTES).set(snapshot.in_flight_bytes)
        gauge(rows.IN_FLIGHT_AUDIO_SECONDS).set(snapshot.in_flight_audio_seconds)
        gauge(rows.WAITING_RECORDS).set(snapshot.waiting_records)
        gauge(rows.UNDELIVERED_RECORDS).set(snapshot.undelivered_records)
        gauge(rows.PARTITIONS_ASSIGNED).set(len(snapshot.partitions))
        gauge(rows.PARTITIONS_PAUSED).set(sum(view.is_paused for view in snapshot.partitions.values()))
        silent = snapshot.silence_seconds(now=snapshot.taken_at)
        self._log_changes(silent, snapshot.membership.problem)
        for service in {KAFKA, *snapshot.answered_at, *snapshot.dependencies_down}:
            is_down = service in silent or service in snapshot.dependencies_down
            gauge(rows.DEPENDENCY_DOWN).labels(service).set(is_down)
        for (topic, partition), view in snapshot.partitions.items():
            gauge(rows.OLDEST_INCOMPLETE_AGE).labels(topic, partition).set(view.oldest_incomplete_age_seconds)
            gauge(rows.GAP_WIDTH).labels(topic, partition).set(view.gap_width_offsets)
            gauge(rows.METADATA_CHARACTERS).labels(topic, partition).set(view.metadata_characters)
        for key in self._labelled - snapshot.partitions.keys():
            # Only its new holder reports a partition that has moved.
            for row in (rows.OLDEST_INCOMPLETE_AGE, rows.GAP_WIDTH, rows.METADATA_CHARACTERS):
                gauge(row).remove(*key)
        self._labelled = set(snapshot.partitions)

    def _log_changes(self, silent: Mapping[str, float], kafka_problem: str | None) -> None:
        for service in sorted(silent.keys() - self._silent):
            problem = {"error": kafka_problem} if service == KAFKA and kafka_problem else {}
            seconds = round(silent[service])
            _log.warning("dependency does not answer", dependency=service, seconds=seconds, **problem)
        for service in sorted(self._silent - silent.keys()):
            _log.info("dependency answers again", dependency=service)
        self._silent = frozenset(silent)


def _view(partition: AssignedPartition, now: float) -> PartitionView:
    ledger = partition.books.ledger
    oldest = partition.flights.get(ledger.oldest_incomplete) if ledger.oldest_incomplete is not None else None
    committed = partition.books.confirmed.offset
    return PartitionView(
        committed_offset=committed if committed >= 0 else None,
        position_offset=ledger.position,
        in_flight_records=len(partition.flights),
        waiting_records=len(partition.backlog),
        oldest_incomplete_age_seconds=now - oldest.taken_at if oldest else 0.0,
        gap_width_offsets=ledger.window,
        metadata_characters=len(partition.books.confirmed.metadata),
        is_paused=bool(partition.paused),
    )
