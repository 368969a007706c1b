"""Flow control: the load in flight, the room for more, and the partitions that the client may fetch.

Pausing has a price: librdkafka discards what it has prefetched of a paused partition, and fetches it again. So
intake that was shut for the number of records opens again only when a quarter of them is done. Bytes and seconds
of audio get no such slack, and no record counts for more than a share of either: one long file may exceed the
whole limit for hours, and must not keep short ones out. A few places are reserved for interactive records: the
records admitted before them may hold all the others for hours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from consumers.kafka.client import positions
from consumers.runtime.partition import NO_WEIGHT, AssignedPartition, Flight
from consumers.runtime.ports import Weight
from schemas.clock import Clock
from schemas.kafka.delivery import Partition
from schemas.settings import RuntimeSettings

POLL_RECORDS_LIMIT: Final = 500
"""Most records of one poll. Those without room wait in memory, so this bounds them too."""

REOPEN_SHARE: Final = 0.75
"""Share of the records' limit; at or above it, intake that was shut stays shut."""

RECORD_SHARE: Final = 0.25
"""Share of the limits of bytes and of seconds that one record counts for at most: the longest leaves room."""

RESERVED_SHARE: Final = 0.125
"""Share of the records' limit, beyond it: places for interactive records while no others are admitted."""

UNDELIVERED_FACTOR: Final = 4
"""Settled records whose outputs the broker has not confirmed: this many times ``in_flight_records`` at most."""

PAUSE_CHANGE_SECONDS: Final = 0.1
"""Between pausing a partition and resuming it. librdkafka ignores a pause that a resume overtakes, and rewinds."""

PAUSE_AFTER_SECONDS: Final = 0.5
"""Partitions pause after this time without room; pausing discards the records that the client has prefetched."""


class FlowControl:
    """The load in flight, the room that it leaves, and the client's pauses. The owner thread's alone.

    ``undelivered_records`` counts records that are settled while the broker has not confirmed their outputs.
    """

    def __init__(self, consumer: Consumer, limits: RuntimeSettings, *, clock: Clock) -> None:
        self.records = 0
        self.size_bytes = 0
        self.audio_seconds = 0.0
        self.counted_bytes = 0
        self.counted_audio_seconds = 0.0
        self.undelivered_records = 0
        self._consumer = consumer
        self._limits = limits
        self._reopen_records = REOPEN_SHARE * limits.in_flight_records
        self._clock = clock
        self._is_full = False
        self._reserved: set[Flight] = set()
        self._shut_since = clock.monotonic()

    @property
    def room(self) -> int:
        """How many records may be admitted now."""
        limits = self._limits
        if (
            self._is_full
            or self.counted_bytes >= limits.in_flight_bytes
            or self.counted_audio_seconds >= limits.in_flight_audio_seconds
            or self._has_undelivered
        ):
            return 0
        return min(POLL_RECORDS_LIMIT, limits.in_flight_records - self.records)

    @property
    def reserved_room(self) -> int:
        """How many interactive records may be admitted while there is no room for others."""
        return 0 if self._has_undelivered else reserved_records(self._limits) - len(self._reserved)

    def add(self, flight: Flight) -> None:
        """Count a record that is in flight from now on. It has no weight yet."""
        size_bytes = flight.record.size_bytes
        self.records += 1
        self.size_bytes += size_bytes
        self.counted_bytes += size_bytes
        if self.records >= self._limits.in_flight_records:
            self._is_full = True

    def reserve(self, flight: Flight) -> None:
        """Give a flight one of the places for interactive records."""
        self._reserved.add(flight)

    def remove(self, flight: Flight) -> None:
        """Stop counting a record that is no longer in flight. Call once per flight."""
        if flight.weight is not NO_WEIGHT:
            self.reweigh(flight, NO_WEIGHT)
        size_bytes = flight.record.size_bytes
        self.records -= 1
        self.size_bytes -= size_bytes
        self.counted_bytes -= size_bytes
        self._reserved.discard(flight)
        if self.records < self._reopen_records:
            self._is_full = False
        flight.settle()

    def reweigh(self, flight: Flight, weight: Weight) -> None:
        """Count a record with its new weight. Ignored when the record is settled."""
        if flight.settled:
            return
        before, after = counted(flight.weight, self._limits), counted(weight, self._limits)
        self.size_bytes += weight.object_size_bytes - flight.weight.object_size_bytes
        self.audio_seconds += weight.audio_seconds - flight.weight.audio_seconds
        self.counted_bytes += after.object_size_bytes - before.object_size_bytes
        self.counted_audio_seconds += after.audio_seconds - before.audio_seconds
        flight.weigh(weight)

    def await_delivery(self, records: int) -> None:
        """Count settled records whose outputs are on their way; a negative number once they are delivered."""
        self.undelivered_records += records

    def update_pauses(
        self, partitions: Mapping[Partition, AssignedPartition], *, room: int, reserved_room: int
    ) -> None:
        """Pause the partitions that must not be polled, resume the rest, rewind those with a new log.

        ``room`` counts records that may be admitted now, ``reserved_room`` interactive ones beyond it.

        A short lack of room pauses nothing: a poll then returns a record or two, which wait in the backlog. A
        longer one leaves those partitions open whose backlog is empty: their next record may be interactive.
        """
        now = self._clock.monotonic()
        for partition in partitions.values():
            if partition.rewinding:
                self._rewind(partition)
        unknown = [partition for partition in partitions.values() if partition.paused is None]
        self._set_paused(unknown, self._consumer.resume, paused=False)
        open_now = room > 0
        if open_now:
            self._shut_since = now
        shut_for_long = now - self._shut_since >= PAUSE_AFTER_SECONDS
        fetches = (
            FetchState(
                partition.key,
                bool(partition.paused),
                len(partition.backlog) if open_now or shut_for_long or partition.paused else 0,
                partition.books.ledger.can_receive(),
            )
            for partition in partitions.values()
            if now - partition.pause_changed_at >= PAUSE_CHANGE_SECONDS
        )
        changes = pause_changes(fetches, shut=shut_for_long and reserved_room <= 0)
        self._set_paused([partitions[key] for key in changes.pause], self._consumer.pause, paused=True)
        self._set_paused([partitions[key] for key in changes.resume], self._consumer.resume, paused=False)

    def log_reaches(self, partition: AssignedPartition) -> bool:
        """Return whether the log reaches as far as it was polled, according to the client's last known end."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition.key), cached=True)
        return end >= partition.polled

    @property
    def _has_undelivered(self) -> bool:
        return self.undelivered_records >= UNDELIVERED_FACTOR * self._limits.in_flight_records

    def _rewind(self, partition: AssignedPartition) -> None:
        try:
            self._consumer.seek(TopicPartition(*partition.key, OFFSET_BEGINNING))
        except KafkaException:
            return  # the client does not fetch it yet; the next turn tries again
        partition.rewound()

    def _set_paused(
        self,
        partitions: Sequence[AssignedPartition],
        call: Callable[[list[TopicPartition]], None],
        *,
        paused: bool,
    ) -> None:
        if not partitions:
            return
        call(positions([partition.key for partition in partitions]))
        for partition in partitions:
            partition.set_paused(paused=paused, at=self._clock.monotonic())


@dataclass(frozen=True, slots=True)
class FetchState:
    """How a partition is fetched. ``waiting_records`` were polled and have no room, or are not due."""

    partition: Partition
    paused: bool
    waiting_records: int
    can_receive: bool


@dataclass(frozen=True, slots=True)
class PauseChanges:
    """The partitions to pause and to resume; the others stay as they are."""

    pause: tuple[Partition, ...]
    resume: tuple[Partition, ...]


def pause_changes(fetches: Iterable[FetchState], *, shut: bool) -> PauseChanges:
    """Return the partitions to pause and to resume; both empty when nothing has to change."""
    pause: list[Partition] = []
    resume: list[Partition] = []
    for fetch in fetches:
        wanted = shut or fetch.waiting_records > 0 or not fetch.can_receive
        if wanted != fetch.paused:
            (pause if wanted else resume).append(fetch.partition)
    return PauseChanges(tuple(pause), tuple(resume))


def counted(weight: Weight, limits: RuntimeSettings) -> Weight:
    """Return a record's weight, capped at its share of the limits."""
    most_bytes, most_seconds = RECORD_SHARE * limits.in_flight_bytes, RECORD_SHARE * limits.in_flight_audio_seconds
    if weight.object_size_bytes <= most_bytes and weight.audio_seconds <= most_seconds:
        return weight
    return Weight(min(weight.object_size_bytes, int(most_bytes)), min(weight.audio_seconds, most_seconds))


def reserved_records(limits: RuntimeSettings) -> int:
    """Return the places for interactive records beyond ``in_flight_records``; at least one."""
    return max(1, int(RESERVED_SHARE * limits.in_flight_records))
