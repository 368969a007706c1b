"""The backlog of the partitions held: the records that are not done yet, by lane, and the audio that they hold.

A record that was polled is counted by its own lane and length. One that still lies on the broker is known only by
the end of its log: it counts as the recent ones did, on average.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from consumers import metrics as rows
from consumers.metrics import Metrics
from consumers.runtime.partition import AssignedPartition, Flight
from consumers.runtime.ports import Weight
from schemas.errors import JobError
from schemas.kafka.delivery import Partition
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import Record
from schemas.notifications import parse_notification
from schemas.options import Lane
from schemas.roles import Role

AUDIO_ROLES: Final = frozenset({Role.TRANSCRIBER, Role.ENRICHER})
"""The others do the same work for a long recording as for a short one."""

REMEMBERED_SHARE: Final = 0.995
"""Weight of the past against one more record: means follow about the last 200 records."""

UNMEASURED_RECORD_SECONDS: Final = 60.0
"""Length of a record before any was measured: a guess, which the first record replaces."""

UNMEASURED_BYTES_PER_SECOND: Final = 16_000.0
"""Size of a second of audio before any was measured: 128 kbit/s, as MP3 commonly has."""

STATED: Final = "stated"
ESTIMATED: Final = "estimated"
_DURATION: Final = "audio_duration_seconds"


@dataclass(slots=True)
class _Audio:
    """Seconds of audio: ``stated_seconds`` by records or decoders, ``estimated_seconds`` from means."""

    records: int = 0
    stated_seconds: float = 0.0
    estimated_seconds: float = 0.0


@dataclass(slots=True)
class _Mean:
    """A ratio of two sums in which the past fades."""

    amount: float = 0.0
    count: float = 0.0

    def add(self, amount: float, count: float = 1.0) -> None:
        self.amount = self.amount * REMEMBERED_SHARE + amount
        self.count = self.count * REMEMBERED_SHARE + count

    def value(self, unmeasured: float) -> float:
        return self.amount / self.count if self.count else unmeasured


@dataclass(slots=True)
class _Means:
    """What recent records were like: their lanes, and seconds of audio by record and by byte."""

    interactive_share: _Mean = field(default_factory=_Mean)
    record_seconds: dict[Lane, _Mean] = field(default_factory=lambda: {lane: _Mean() for lane in Lane})
    byte_seconds: _Mean = field(default_factory=_Mean)

    def learn(self, record: Record, weight: Weight) -> None:
        """Add a record that is done, with its weight as the stage found it."""
        lane = lane_of(record)
        self.interactive_share.add(lane is Lane.INTERACTIVE)
        seconds = weight.audio_seconds or stated_audio(record).audio_seconds
        if seconds > 0:
            self.record_seconds[lane].add(seconds)
            if weight.object_size_bytes > 0:
                self.byte_seconds.add(seconds, weight.object_size_bytes)

    def seconds_of(self, lane: Lane, size_bytes: int) -> float:
        """Estimate the length of one record, from its object's bytes where they are known."""
        if size_bytes > 0:
            return size_bytes * self.byte_seconds.value(1 / UNMEASURED_BYTES_PER_SECOND)
        mean, other = self.record_seconds[lane], self.record_seconds[_other(lane)]
        return mean.value(other.value(UNMEASURED_RECORD_SECONDS))

    def add_to(self, audio: _Audio, lane: Lane, weight: Weight, *, records: int = 1) -> None:
        """Count records of a lane, each of this weight."""
        audio.records += records
        if weight.audio_seconds > 0:
            audio.stated_seconds += records * weight.audio_seconds
        else:
            audio.estimated_seconds += records * self.seconds_of(lane, weight.object_size_bytes)


class Backlog:
    """Sets the gauges of the backlog. The owner thread's alone."""

    def __init__(self, role: str, metrics: Metrics) -> None:
        self._means = _Means()
        self._records = {lane: metrics.gauge(rows.BACKLOG_RECORDS).labels(role, lane.value) for lane in Lane}
        self._seconds = {
            (lane, basis): metrics.gauge(rows.BACKLOG_AUDIO_SECONDS).labels(role, lane.value, basis)
            for lane in Lane
            for basis in (STATED, ESTIMATED)
            if role in AUDIO_ROLES
        }

    def learn(self, flight: Flight) -> None:
        """Learn from a record that is done and still has its weight."""
        self._means.learn(flight.record, flight.weight)

    def measure(self, partitions: Iterable[AssignedPartition], ends: Mapping[Partition, int]) -> None:
        """Set the gauges. ``ends`` are the last known ends of the logs."""
        audio = self._counted(partitions, ends)
        for lane, counted in audio.items():
            self._records[lane].set(counted.records)
            if self._seconds:
                self._seconds[lane, STATED].set(counted.stated_seconds)
                self._seconds[lane, ESTIMATED].set(counted.estimated_seconds)

    def _counted(
        self, partitions: Iterable[AssignedPartition], ends: Mapping[Partition, int]
    ) -> dict[Lane, _Audio]:
        audio, means, unread = {lane: _Audio() for lane in Lane}, self._means, 0
        for partition in partitions:
            for flight in partition.flights.values():
                lane = lane_of(flight.record)
                means.add_to(audio[lane], lane, flight.weight if flight.weight.audio_seconds else _stated(flight))
            for record in partition.backlog:
                lane = lane_of(record)
                means.add_to(audio[lane], lane, stated_audio(record))
            unread += max(0, ends.get(partition.key, 0) - max(partition.polled, partition.books.ledger.position))
        interactive = round(unread * means.interactive_share.value(0.0))
        for lane, records in ((Lane.INTERACTIVE, interactive), (Lane.BULK, unread - interactive)):
            means.add_to(audio[lane], lane, Weight(), records=records)
        return audio


def stated_audio(record: Record) -> Weight:
    """Return the length and the size of audio that a record's value states; 0 where it states none. Never raises.

    References may state a duration, transcripts do, and notifications state the sizes of their objects.
    """
    value = record.value or b""
    # A search costs far less than decoding, and most values state nothing.
    if _DURATION.encode() in value:
        return Weight(audio_seconds=_duration(value))
    if b'"size"' not in value:
        return Weight()
    try:
        created = parse_notification(value).created
    except JobError:
        return Weight()
    return Weight(object_size_bytes=sum(one.object_size_bytes or 0 for one in created))


def _stated(flight: Flight) -> Weight:
    stated = stated_audio(flight.record)
    size_bytes = flight.weight.object_size_bytes or stated.object_size_bytes
    return Weight(size_bytes, stated.audio_seconds)


def _duration(value: bytes) -> float:
    try:
        found: Any = from_json(value)
    except ValueError:
        return 0.0
    seconds = found.get(_DURATION) if isinstance(found, dict) else None
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return 0.0
    return max(0.0, float(seconds))


def _other(lane: Lane) -> Lane:
    return Lane.BULK if lane is Lane.INTERACTIVE else Lane.INTERACTIVE
