"""Looking after services that are down."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.runtime.monitoring.dependencies import PATIENCE_LIMIT_SECONDS, DependencyWatch, patience_seconds
from tests.support.waiting import eventually


@contextmanager
def watching(answers: Iterator[bool], heard: list[tuple[str, int]]) -> Iterator[DependencyWatch]:
    """A watch whose services answer as the list says, whichever is asked."""
    watch = DependencyWatch(
        lambda _: next(answers),
        interval_seconds=0.001,
        recovered=lambda dependency, looks: heard.append((dependency, looks)),
    )
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def test_a_recovery_is_reported_once_with_how_many_looks_it_took() -> None:
    """One look means that the service answered at once, so whoever called it down may be wrong."""
    heard: list[tuple[str, int]] = []
    with watching(iter([False, False, True, True]), heard) as watch:
        watch.watch("s3")
        eventually(lambda: heard == [("s3", 3)], timeout_seconds=30)
        watch.watch("s3", relapses=1)
        eventually(lambda: heard == [("s3", 3), ("s3", 1)], timeout_seconds=30)


def test_services_are_watched_side_by_side() -> None:
    """One that stays down does not keep the other from being found well."""
    heard: list[tuple[str, int]] = []
    watch = DependencyWatch(
        lambda dependency: dependency == "vllm",
        interval_seconds=0.001,
        recovered=lambda dependency, looks: heard.append((dependency, looks)),
    )
    watch.start()
    watch.watch("s3")
    watch.watch("vllm")
    eventually(lambda: heard == [("vllm", 1)], timeout_seconds=30)
    watch.stop()


@pytest.mark.parametrize(
    ("relapses", "expected"), [(0, 2.0), (1, 4.0), (4, 32.0), (5, PATIENCE_LIMIT_SECONDS), (99, 60.0)]
)
def test_each_recovery_that_was_none_doubles_the_wait(relapses: int, expected: float) -> None:
    """Up to a limit, so that a service that is well is not left unused for long."""
    assert patience_seconds(2.0, relapses) == expected


def test_an_interval_above_the_limit_stays_as_it_was_asked_for() -> None:
    """The limit bounds what is added, not what the operator wants."""
    assert patience_seconds(300.0, 3) == 300.0
