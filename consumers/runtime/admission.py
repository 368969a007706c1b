"""Back-pressure as a pure decision: whether more is taken in, and which partitions pause or resume.

Pausing costs something: the client throws away what it has prefetched of a partition, and fetches it again. So
intake that was shut for the number of records opens again only when a quarter of them is done. Bytes and seconds
of audio get no such slack, and no record counts for more than a share of either: one long file may hold more than
all of it for hours, and must not keep the short ones out. A few places are kept for records that somebody waits
for: what was taken in before them may hold all the others for hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from consumers.runtime.stage import Weight
from schemas.kafka.delivery import Partition
from schemas.settings import RuntimeSettings

REOPEN_SHARE: Final = 0.75
"""Of the records' limit; at or above it, intake that was shut stays shut."""

RECORD_SHARE: Final = 0.25
"""Of the limits of bytes and of seconds, which one record counts for at most: the longest leaves others room."""

RESERVED_SHARE: Final = 0.125
"""Of the records' limit, beyond it: places for interactive records while no others are taken in."""


class Held(Protocol):
    """What is in flight in this process."""

    @property
    def records(self) -> int:
        """Records taken in and not complete."""
        ...

    @property
    def counted_bytes(self) -> float:
        """Bytes of the objects that they name, as far as they count."""
        ...

    @property
    def counted_audio_seconds(self) -> float:
        """Seconds of audio that is known of, as far as they count."""
        ...


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition as admission sees it. ``waiting_records`` were polled and found no room, or are not due."""

    partition: Partition
    paused: bool
    waiting_records: int
    can_receive: bool


@dataclass(frozen=True, slots=True)
class Steering:
    """What the consumer is to do; what is in neither stays as it is."""

    pause: tuple[Partition, ...]
    resume: tuple[Partition, ...]


def counted(weight: Weight, limits: RuntimeSettings) -> Weight:
    """What a record's weight counts for. Called for every record, most of which have no weight yet."""
    most_bytes, most_seconds = RECORD_SHARE * limits.in_flight_bytes, RECORD_SHARE * limits.in_flight_audio_seconds
    if weight.object_size_bytes <= most_bytes and weight.audio_seconds <= most_seconds:
        return weight
    return Weight(min(weight.object_size_bytes, int(most_bytes)), min(weight.audio_seconds, most_seconds))


def reserved_records(limits: RuntimeSettings) -> int:
    """Places that are kept for interactive records, beyond ``in_flight_records``; at least one."""
    return max(1, int(RESERVED_SHARE * limits.in_flight_records))


def is_shut(held: Held, limits: RuntimeSettings, *, was_shut: bool) -> bool:
    """Whether nothing more may be taken in."""
    reopen_records = REOPEN_SHARE * limits.in_flight_records if was_shut else limits.in_flight_records
    return (
        held.records >= reopen_records
        or held.counted_bytes >= limits.in_flight_bytes
        or held.counted_audio_seconds >= limits.in_flight_audio_seconds
    )


def steer(partitions: Iterable[PartitionState], *, shut: bool) -> Steering:
    """Pauses what cannot be taken in now, and resumes what can. Empty when everything is as it should be."""
    pause: list[Partition] = []
    resume: list[Partition] = []
    for state in partitions:
        wanted = shut or state.waiting_records > 0 or not state.can_receive
        if wanted != state.paused:
            (pause if wanted else resume).append(state.partition)
    return Steering(tuple(pause), tuple(resume))
