"""Probes of services that are down."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.runtime.monitoring.dependencies import BACK_OFF_LIMIT_SECONDS, DependencyWatch, back_off_seconds
from schemas.clock import SystemClock
from tests.support.waiting import eventually


@contextmanager
def watching(answers: Iterator[bool], recoveries: list[tuple[str, int]]) -> Iterator[DependencyWatch]:
    """Start a watch whose services answer in the given order, whichever is probed."""
    watch = DependencyWatch(
        lambda _: next(answers),
        interval_seconds=0.001,
        on_recovery=lambda dependency, probes: recoveries.append((dependency, probes)),
        clock=SystemClock(),
    )
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def test_a_recovery_is_reported_once_with_the_number_of_probes() -> None:
    """One probe means that the service answered at once, so the record that called it down may be at fault."""
    recoveries: list[tuple[str, int]] = []
    with watching(iter([False, False, True, True]), recoveries) as watch:
        watch.watch("s3")
        eventually(lambda: recoveries == [("s3", 3)], timeout_seconds=30)
        watch.watch("s3", relapses=1)
        eventually(lambda: recoveries == [("s3", 3), ("s3", 1)], timeout_seconds=30)


def test_services_are_watched_side_by_side() -> None:
    """The recovery of one is noticed while another stays down."""
    recoveries: list[tuple[str, int]] = []
    watch = DependencyWatch(
        lambda dependency: dependency == "vllm",
        interval_seconds=0.001,
        on_recovery=lambda dependency, probes: recoveries.append((dependency, probes)),
        clock=SystemClock(),
    )
    watch.start()
    watch.watch("s3")
    watch.watch("vllm")
    eventually(lambda: recoveries == [("vllm", 1)], timeout_seconds=30)
    watch.stop()


@pytest.mark.parametrize(
    ("relapses", "expected"), [(0, 2.0), (1, 4.0), (4, 32.0), (5, BACK_OFF_LIMIT_SECONDS), (99, 60.0)]
)
def test_each_relapse_doubles_the_wait(relapses: int, expected: float) -> None:
    """Up to a cap, so that a healthy service is not left unused for long."""
    assert back_off_seconds(2.0, relapses) == expected


def test_an_interval_above_the_cap_stays_as_it_is_set() -> None:
    """The cap bounds the back-off, not the operator's interval."""
    assert back_off_seconds(300.0, 3) == 300.0
