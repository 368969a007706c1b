"""Which jumps of a recording's clock are gaps, which are restarts, and which are only late timestamps."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest

from models.media.decoding.timeline import GAP_SECONDS_LIMIT, GAP_SECONDS_LIMIT_BROADCAST, TimedFrame, Timeline


@dataclass(frozen=True)
class Frame:
    """A fifth of a second of sound at a time of its own, as PyAV gives it."""

    time: float | None
    samples: int = 3_200
    sample_rate: int = 16_000
    time_base: Fraction = Fraction(1, 1_000)


def missing(
    times: Sequence[float | None],
    *,
    starts_seconds: float | None = None,
    limit_seconds: float = GAP_SECONDS_LIMIT,
    samples: int = 3_200,
) -> list[float]:
    """Return the silence before each frame, rounded."""
    timeline = Timeline(starts_seconds, limit_seconds=limit_seconds)
    frames = [TimedFrame(Frame(time, samples=samples)) for time in times]
    return [round(timed.silence_seconds, 3) for timed in timeline.fill_gaps(frames)]


@pytest.mark.parametrize(
    "times",
    [
        [7.0, 7.2, 7.4, 7.6],
        [0.0, 0.2, 0.49, 0.69],
        [0.0, 0.2, None, None, 0.8],
        [None, None, None],
        [0.0, 0.2, 1_000.0, 0.6, 0.8],
        [0.0, 0.2, 0.0, 0.6, 0.8],
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.0, 1.4, 1.6],
        [0.0, 0.2, 2 * GAP_SECONDS_LIMIT, 2 * GAP_SECONDS_LIMIT + 0.2],
        [0.24 * number for number in range(40)],
        [0.16 * number for number in range(40)],
        [0.2 * number + (0.15 if number % 4 == 3 else 0) for number in range(40)],
        [0.2 * number + (0.15 if number % 4 < 2 else 0) for number in range(40)],
    ],
    ids=[
        "even", "rounded", "untold times", "no times", "taken back", "one step back", "one far step back",
        "broken clock", "slow samples", "fast samples", "one late in four", "two late in four",
    ],
)  # fmt: skip
def test_a_recording_without_gaps_is_left_as_it_is(times: list[float | None]) -> None:
    """Broken, missing, late and drifting times put no silence between words."""
    assert missing(times) == [0.0] * len(times)


def test_a_gap_is_filled_once_and_exactly() -> None:
    """Later frames, and later gaps, are measured from where the clock is then."""
    assert missing([0.0, 0.2, 60.0, 60.2, 90.0]) == [0.0, 0.0, 59.6, 0.0, 29.6]


def test_one_lost_frame_leaves_its_own_length_of_silence() -> None:
    """A network that loses a packet now and then shifts no later word, however short its packets."""
    times = [0.02 * number for number in range(100) if number % 10 != 9]
    silence = missing(times, samples=320)
    assert silence == [0.02 if number and number % 9 == 0 else 0.0 for number in range(90)]


def test_many_small_holes_are_filled_one_by_one() -> None:
    """A sender that is silent between words leaves holes, which shift later words as well."""
    assert missing([0.0, 0.5, 1.0, 1.5, 2.0, 2.2]) == [0.0, 0.3, 0.3, 0.3, 0.3, 0.0]


def test_what_is_missing_at_the_beginning_is_silence() -> None:
    """The clock starts where the stream says that it starts, not at the first frame that decodes."""
    assert missing([15.0, 15.2], starts_seconds=0.0) == [15.0, 0.0]
    assert missing([36_015.0, 36_015.2], starts_seconds=36_000.0) == [15.0, 0.0]
    assert missing([0.07, 0.27], starts_seconds=0.0) == [0.0, 0.0]


def test_a_clock_that_begins_again_is_followed_from_there() -> None:
    """Joined recordings: nothing is filled at the joint, and gaps after it are."""
    assert missing([5.0, 5.2, 0.0, 0.2, 0.4, 10.4, 10.6]) == [0.0, 0.0, 0.0, 0.0, 0.0, 9.8, 0.0]
    assert missing([0.0, 0.2, 20_000.0, 20_000.2, 20_010.2]) == [0.0, 0.0, 0.0, 0.0, 9.8]


def test_a_gap_right_before_a_restart_is_a_gap_still() -> None:
    """What the clock does later does not take back what it did before."""
    assert missing([100.0, 100.2, 110.2, 110.4, 0.0, 0.2]) == [0.0, 0.0, 9.8, 0.0, 0.0, 0.0]


def test_in_a_broadcast_a_jump_of_hours_is_another_clock() -> None:
    """No hours of silence where two recordings were joined; a pause of a minute is a pause."""
    times = [0.0, 0.2, 60.4, 60.6, 5_000.0, 5_000.2, 5_001.4]
    silence = missing(times, limit_seconds=GAP_SECONDS_LIMIT_BROADCAST)
    assert silence == [0.0, 0.0, 60.0, 0.0, 0.0, 0.0, 1.0]


def test_silence_where_something_was_damaged_is_counted() -> None:
    """A hole where the container complained is lost sound; any other is a pause."""
    timeline = Timeline()
    frames = [TimedFrame(Frame(time), suspect=time == 30.0) for time in (0.0, 0.2, 10.0, 10.2, 30.0)]
    assert len(list(timeline.fill_gaps(frames))) == 5
    assert timeline.damaged_seconds == pytest.approx(19.6)


def test_a_jump_that_is_not_believed_is_counted_and_not_filled() -> None:
    """By what the clock went forward beyond the sound; a clock that begins again skips nothing."""
    timeline = Timeline()
    times = (0.0, 0.2, *(20_000.0 + 0.2 * number for number in range(8)), 3.0, 3.2)
    assert (
        sum(timed.silence_seconds for timed in timeline.fill_gaps(TimedFrame(Frame(time)) for time in times)) == 0
    )
    assert timeline.skipped_seconds == pytest.approx(20_000.0 - 0.4)
    assert timeline.silence_seconds == 0
