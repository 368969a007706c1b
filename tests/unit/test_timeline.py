"""Which jumps of a recording's clock are gaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from models.media.timeline import GAP_SECONDS_LIMIT, Timeline


@dataclass(frozen=True)
class Frame:
    """A fifth of a second of sound at a time of its own, as PyAV gives it."""

    time: float | None
    samples: int = 3_200
    sample_rate: int = 16_000


def missing(times: Sequence[float | None]) -> list[float]:
    """The silence before each frame, rounded."""
    timeline = Timeline()
    frames = [Frame(time) for time in times]
    following = [*frames[1:], None]
    return [round(timeline.missing_seconds(*pair), 3) for pair in zip(frames, following, strict=True)]


@pytest.mark.parametrize(
    "times",
    [
        [7.0, 7.2, 7.4, 7.6],
        [0.0, 0.2, 0.5, 0.7],
        [0.0, 0.2, None, None, 0.8],
        [None, None, None],
        [5.0, 5.2, 0.0, 0.2, 0.4],
        [0.0, 0.2, 1_000.0, 0.6, 0.8],
        [0.0, 0.2, 2 * GAP_SECONDS_LIMIT, 2 * GAP_SECONDS_LIMIT + 0.2],
        [0.24 * number for number in range(40)],
    ],
    ids=["even", "jitter", "untold times", "no times", "restart", "taken back", "broken clock", "slow samples"],
)
def test_a_recording_without_gaps_is_left_as_it_is(times: list[float | None]) -> None:
    """Broken, missing and drifting times put no silence between words."""
    assert missing(times) == [0.0] * len(times)


def test_a_gap_is_filled_once_and_exactly() -> None:
    """Later frames, and later gaps, are measured from where the clock is then."""
    assert missing([0.0, 0.2, 60.0, 60.2, 90.0]) == [0.0, 0.0, 59.6, 0.0, 29.6]


def test_many_small_holes_add_up() -> None:
    """A sender that is silent between words leaves holes shorter than a gap, which shift later words as well."""
    assert missing([0.0, 0.5, 1.0, 1.5, 2.0]) == [0.0, 0.0, 0.6, 0.0, 0.6]
