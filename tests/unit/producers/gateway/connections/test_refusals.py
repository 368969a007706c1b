"""Refusals are counted one by one and logged once a minute."""

from structlog.testing import capture_logs

from producers.gateway.connections.refusals import LOG_INTERVAL_SECONDS, Refusal, Refusals
from tests.support.clock import HandClock


def test_a_flood_of_refusals_is_one_line_a_minute_for_each_kind() -> None:
    """With their number; the first is logged at once, the last with the next look."""
    clock = HandClock()
    seen: list[Refusal] = []
    refusals = Refusals(clock, on_refusal=seen.append)
    with capture_logs() as lines:
        for _ in range(1_000):
            refusals.count(Refusal.SLOW_HEADERS)
        refusals.count(Refusal.SPOOL)
        clock.seconds += LOG_INTERVAL_SECONDS
        refusals.flush()
        refusals.flush()
        clock.seconds += LOG_INTERVAL_SECONDS
        refusals.flush()
    assert [(line["kind"], line["count"]) for line in lines] == [
        ("slow_headers", 1),
        ("spool", 1),
        ("slow_headers", 999),
    ]
    assert len(seen) == 1_001
