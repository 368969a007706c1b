"""Back-pressure: when intake shuts, when it opens, and which partitions pause."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.admission import PartitionState, is_shut, steer
from schemas.settings import RuntimeSettings


@dataclass(frozen=True)
class InFlight:
    """What is held, by count."""

    records: int
    size_bytes: int
    audio_seconds: float


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
