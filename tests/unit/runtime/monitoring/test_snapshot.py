"""Snapshots of a real runtime whose threads do not run."""

from structlog.testing import capture_logs

from consumers.runtime.monitoring.health import ready
from consumers.runtime.monitoring.membership import SILENCE_SECONDS
from tests.unit.runtime.runtime_bench import runtime_bench


def test_a_runtime_that_has_just_been_made_counts_no_service_as_silent() -> None:
    """Its first snapshot is taken once it has joined; until then silence counts from when it was made."""
    with runtime_bench((0, ""), started_at=1_000.0) as bench:
        report = ready(bench.runtime.snapshot(), now=bench.clock.monotonic() + SILENCE_SECONDS - 1)
    assert [reason for reason in report.reasons if "not answered" in reason] == []


def test_a_service_that_falls_silent_and_answers_again_is_logged_once_each() -> None:
    """Also when nothing is in flight, so that no request fails."""
    with runtime_bench((0, "")) as bench, capture_logs() as lines:
        for _ in range(2):
            bench.snapshot()
        taker, watch = bench.runtime.snapshot_taker, bench.runtime.membership_watch
        before = watch.membership
        for _ in range(3):
            bench.clock.seconds += SILENCE_SECONDS
            watch.membership = before
            taker.take(is_draining=False)
        bench.clock.seconds += 1
        bench.snapshot()
    told = [(line["event"], line["dependency"]) for line in lines if "dependency" in line]
    assert told == [("dependency does not answer", "kafka"), ("dependency answers again", "kafka")]
