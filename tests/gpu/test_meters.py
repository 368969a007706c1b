"""Meters and the division of the time, on times that are made up."""

import threading
import time

import pytest

from tests.gpu.bench.measure import LEAST_SECONDS, OPEN_SECONDS, Budget
from tests.gpu.bench.meters import (
    LEAST_TIMES_HEARD,
    Meter,
    covered_seconds,
    fitted_slope,
    parsed_sample,
    run_threads,
)
from tests.gpu.bench.subjects import MIXED, Arm, Row


def _arm(*seconds: float) -> Arm:
    def never() -> None:
        raise AssertionError("no model is loaded here")

    return Arm([Row("floor", MIXED, str(number), each) for number, each in enumerate(seconds)], never)  # type: ignore[arg-type]


def test_overlapping_calls_count_once_as_busy() -> None:
    """Two calls at once are one busy time, and two calls under way."""
    assert covered_seconds([(0, 4), (1, 2), (3, 6), (8, 9)]) == 7
    meter = Meter()
    meter.called(0.0, 6.0, 16)
    meter.called(2.0, 8.0, 32)
    reading = meter.reading(0.0, 10.0)
    assert reading.busy == pytest.approx(0.8)
    assert reading.calls_under_way == pytest.approx(1.2)
    assert reading.rows_per_call == pytest.approx(24)
    assert reading.windows_per_second == pytest.approx(4.8)


def test_calls_that_decode_nothing_have_no_rows() -> None:
    """An encoding is busy time, but its windows are counted when they are decoded."""
    meter = Meter()
    meter.called(0.0, 1.0, 0)
    assert meter.reading(0.0, 2.0).rows_per_call is None
    assert meter.reading(0.0, 2.0).busy == pytest.approx(0.5)


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.7, 0.99])
def test_the_speed_does_not_depend_on_where_batches_end(phase: float) -> None:
    """Audio arrives a batch at a time; whether the last one is inside the interval changes little."""
    heard = [(phase + number, 400.0) for number in range(-2, 20)]
    assert fitted_slope(heard, 0.0, 15.0) == pytest.approx(400, rel=0.01)


def test_lines_of_the_card_are_read() -> None:
    """Utilisation in per cent and MiB; a line that says something else is passed over."""
    assert parsed_sample("37, 1234\n") == (0.37, 1234)
    assert parsed_sample("[N/A], 1234") is None
    assert parsed_sample("Failed to initialize NVML") is None


def test_a_thread_that_fails_ends_the_row() -> None:
    """The row says why, and the others go on."""

    def work(_: threading.Event) -> None:
        raise OSError("no such device")

    interval = run_threads(work, lambda _: 0, threads=2, seconds=60, longest_seconds=60)
    assert interval.problem == "OSError: no such device"


def test_rows_get_all_their_time_where_there_is_enough() -> None:
    """Nothing is stretched either."""
    budget = Budget(100.0, [_arm(10, 5)])
    budget.opened()
    assert budget.grant(_arm(10).rows[0], 0.0) == 10


def test_rows_share_what_is_left_and_none_passes_the_deadline() -> None:
    """The time for loading the other models is set aside first."""
    arms = [_arm(20, 20), Arm([Row("plain", MIXED, "all", 40.0)], _arm().open)]
    budget = Budget(48.0 + OPEN_SECONDS, arms)
    budget.opened()
    assert budget.grant(arms[0].rows[0], 0.0) == pytest.approx(12)
    assert budget.grant(arms[0].rows[1], 47.5) == LEAST_SECONDS
    assert budget.grant(arms[1].rows[0], 47.5 + OPEN_SECONDS) == 0


def test_a_row_that_is_hardly_heard_from_leaves_the_others_their_time() -> None:
    """Patience ends where the share of the other rows begins."""
    budget = Budget(60.0, [_arm(1, 1, 1)])
    budget.opened()
    first = _arm(1, 1, 1).rows[0]
    assert budget.longest(budget.grant(first, 0.0), 0.0) == 20
    assert budget.longest(1.0, 48.0) == 4
    assert budget.longest(1.0, 59.5) == 0.5


def test_a_slow_machine_is_measured_until_something_is_heard() -> None:
    """An interval without a result is extended, up to the limit."""
    heard_at: list[float] = []

    def work(stop: threading.Event) -> None:
        while not stop.wait(0.01):
            heard_at.append(time.perf_counter())

    interval = run_threads(
        work,
        lambda since: sum(at > since for at in heard_at),
        threads=1,
        seconds=0.0,
        longest_seconds=60,
    )
    assert not interval.problem
    assert sum(interval.since < at <= interval.until for at in heard_at) >= LEAST_TIMES_HEARD
