"""Back-pressure: when intake shuts, when it opens, and which partitions pause."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.admission import PartitionState, is_shut, steer
from consumers.runtime.flight import Flight
from consumers.runtime.load import Load
from consumers.runtime.partition import AssignedPartition
from consumers.runtime.stage import Weight
from schemas.kafka.records import OutgoingRecord, Record
from schemas.settings import RuntimeSettings


@dataclass(frozen=True)
class InFlight:
    """What is held, by count."""

    records: int
    counted_bytes: float
    counted_audio_seconds: float


LIMITS = RuntimeSettings(in_flight_records=8, in_flight_bytes=1_000, in_flight_audio_seconds=100.0)


@pytest.mark.parametrize(
    "in_flight",
    [InFlight(8, 0, 0.0), InFlight(1, 1_000, 0.0), InFlight(1, 0, 100.0)],
    ids=["records", "bytes", "audio"],
)
def test_each_limit_alone_shuts_intake(in_flight: InFlight) -> None:
    """Records, bytes of the objects, seconds of audio: whichever is reached first."""
    assert is_shut(in_flight, LIMITS, was_shut=False)


def test_intake_reopens_when_a_quarter_of_the_records_is_done() -> None:
    """Not at the first that completes: every pause throws a prefetch away."""
    shut = False
    states = []
    for records in (7, 8, 7, 6, 5, 7, 8):
        shut = is_shut(InFlight(records, 0, 0.0), LIMITS, was_shut=shut)
        states.append(shut)
    assert states == [False, True, True, True, False, False, True]


def test_one_long_file_does_not_keep_the_short_ones_out() -> None:
    """Seconds of audio have no slack: below the limit intake is open at once, however much one file holds."""
    assert not is_shut(InFlight(1, 0, 99.0), LIMITS, was_shut=True)


@pytest.mark.parametrize(
    "weight", [Weight(0, 9_000.0), Weight(5_000, 0.0), Weight(9_000, 9_000.0)], ids=["audio", "bytes", "both"]
)
def test_three_files_longer_than_all_limits_keep_nobody_out(weight: Weight) -> None:
    """A record counts for a share of what is allowed, so a few giants leave room, and many do not."""
    load = Load(LIMITS)
    flights = [flight(number) for number in range(4)]
    for each in flights:
        load.add(each)
    for each in flights[:3]:
        load.reweigh(each, weight)
    assert not is_shut(load, LIMITS, was_shut=False)
    load.reweigh(flights[3], weight)
    assert is_shut(load, LIMITS, was_shut=False)
    assert load.audio_seconds == 4 * weight.audio_seconds
    for each in flights:
        load.remove(each)
    assert (load.counted_bytes, load.counted_audio_seconds, load.size_bytes, load.audio_seconds) == (0, 0, 0, 0)


def flight(offset: int) -> Flight:
    """A record in flight, without a runtime."""
    record = Record("t", 0, offset, None, b"")
    partition = AssignedPartition(("t", 0), holder="h", epoch=1, committed=None, wary_records=0, killer_attempts=3)
    return Flight(record, partition, Nobody(), origin=record.coordinates, attempt=1, taken_at=0.0)


class Nobody:
    """Supports a job without doing anything."""

    def report(self, record: OutgoingRecord) -> None:
        """Publishes nothing."""

    def reweigh(self, flight: Flight, weight: Weight) -> None:
        """Takes no note."""

    def is_final(self, flight: Flight, error: Exception) -> bool:  # noqa: ARG002 (no job here fails)
        """Another attempt is always possible."""
        return False


@given(st.integers(1, 1_000))
def test_intake_always_reopens_when_nothing_is_in_flight(limit: int) -> None:
    """Whatever the limit, waiting ends."""
    assert not is_shut(InFlight(0, 0, 0.0), RuntimeSettings(in_flight_records=limit), was_shut=True)


def test_only_what_changes_is_steered() -> None:
    """A partition pauses for its own backlog or its own gap map, and is not told twice."""

    def state(number: int, *, paused: bool = False, waiting: int = 0, can_receive: bool = True) -> PartitionState:
        return PartitionState(("t", number), paused, waiting, can_receive)

    states = [
        state(0),
        state(1, waiting=3),
        state(2, can_receive=False),
        state(3, paused=True),
        state(4, paused=True, waiting=1),
    ]
    steering = steer(states, shut=False)
    assert steering.pause == (("t", 1), ("t", 2))
    assert steering.resume == (("t", 3),)
    assert steer(states, shut=True).pause == (("t", 0), ("t", 1), ("t", 2))
    assert steer(states, shut=True).resume == ()
