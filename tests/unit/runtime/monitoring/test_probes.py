"""Probes of services that every record needs."""

import threading

from consumers.runtime.monitoring.probes import Probes
from schemas.clock import SystemClock
from tests.support.waiting import eventually

QUICK_SECONDS = 0.01


def test_a_service_that_hangs_is_told_from_those_that_answer() -> None:
    """The hanging probe occupies a thread of its own; the time of the last answer stands still."""
    thawed = threading.Event()

    def is_up(service: str) -> bool:
        return service == "s3" or thawed.wait(30)

    probes = Probes(is_up, ("s3", "other"), clock=SystemClock(), interval_seconds=QUICK_SECONDS)
    before = probes.answered_at
    probes.start()
    try:
        eventually(lambda: probes.answered_at["s3"] > before["s3"], timeout_seconds=30)
        assert probes.answered_at["other"] == before["other"]
        thawed.set()
        eventually(lambda: probes.answered_at["other"] > before["other"], timeout_seconds=30)
    finally:
        thawed.set()
        probes.stop()


def test_a_probe_that_raises_counts_as_no_answer_and_is_repeated() -> None:
    """A defect of the stage ends neither the probes nor the process."""
    probed: list[str] = []

    def is_up(service: str) -> bool:
        probed.append(service)
        if len(probed) < 3:
            raise ZeroDivisionError("a defect of the stage")
        return True

    probes = Probes(is_up, ("s3",), clock=SystemClock(), interval_seconds=QUICK_SECONDS)
    before = probes.answered_at["s3"]
    probes.start()
    try:
        eventually(lambda: probes.answered_at["s3"] > before, timeout_seconds=30)
    finally:
        probes.stop()
    assert len(probed) >= 3
