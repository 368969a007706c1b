"""How busy places were over the last minute."""

import pytest

from kascribe.metering.busy_times import WINDOW_SECONDS, BusyTimes
from tests.support.clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that stands still."""
    return HandClock()


def test_calls_that_overlap_are_one_busy_time(clock: HandClock) -> None:
    """Two replicas that work at once make the device busy once; the mean counts both."""
    times = BusyTimes(clock=clock)
    for ends_at, seconds in ((4.0, 4.0), (6.0, 4.0), (7.0, 7.0), (9.0, 1.0)):
        clock.seconds = ends_at
        times.add(seconds)
    clock.seconds = 10.0
    assert times.share_of_any() == pytest.approx(0.8)
    assert times.mean_places() == pytest.approx(1.6)


def test_only_the_last_minute_counts(clock: HandClock) -> None:
    """What began before it counts from its beginning; what ended before it is forgotten."""
    times = BusyTimes(clock=clock)
    clock.seconds = 30.0
    times.add(30.0)
    assert times.share_of_any() == 1.0
    clock.seconds = WINDOW_SECONDS + 15.0
    assert times.share_of_any() == pytest.approx(15.0 / WINDOW_SECONDS)
    clock.seconds = WINDOW_SECONDS + 31.0
    assert times.share_of_any() == 0.0
    times.add(WINDOW_SECONDS + 31.0)
    assert (times.share_of_any(), times.mean_places()) == (1.0, 1.0)


def test_a_place_that_is_still_busy_counts(clock: HandClock) -> None:
    """A file of hours keeps its decoder busy before it ends."""
    times = BusyTimes(clock=clock)
    assert (times.share_of_any(), times.mean_places()) == (0.0, 0.0)
    times.begin("a")
    clock.seconds = 5.0
    times.begin("b")
    clock.seconds = 10.0
    times.end("a")
    assert times.mean_places() == pytest.approx(1.5)
    assert times.share_of_any() == 1.0
    clock.seconds = 1_000.0
    assert (times.share_of_any(), times.mean_places()) == (1.0, 1.0)
    times.end("b")
    assert times.mean_places() == 1.0
