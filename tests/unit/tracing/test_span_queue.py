"""The way out of spans: bounded, counted, and never in the way of work."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.metrics import Instruments, new_instruments
from kascribe.process.tracing.span_queue import BATCH_SPANS, TRACING_METRICS, ExportFailed, SpanQueue
from schemas.monitoring.spans import Span, SpanKind
from tests.support.waiting import eventually

SPAN = Span(
    name="work",
    kind=SpanKind.INTERNAL,
    trace_id="1" * 32,
    span_id="1" * 16,
    parent_id=None,
    started_ns=1,
    ended_ns=2,
)


class Collector:
    """An export that a test can hold, fail and count. Starts open."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.is_refusing = False
        self.is_held = threading.Event()
        self.batches: list[int] = []

    def export(self, spans: Sequence[Span]) -> None:
        """Take a batch, once open."""
        if not self.is_open.is_set():
            self.is_held.set()
        self.is_open.wait(30)
        if self.is_refusing:
            raise ExportFailed("refused")
        self.batches.append(len(spans))


@pytest.fixture
def instruments() -> Instruments:
    """Return the counters of spans."""
    return new_instruments(TRACING_METRICS)


def counts(instruments: Instruments) -> dict[str, float]:
    """Return how many spans were exported, and dropped by reason."""
    value = instruments.registry.get_sample_value
    dropped = {
        reason: value("kascribe_trace_spans_dropped_total", {"reason": reason}) or 0.0
        for reason in ("queue_full", "export_failed", "shutdown")
    }
    return {"exported": value("kascribe_trace_spans_exported_total") or 0.0, **dropped}


def test_what_is_taken_is_sent_in_batches_at_the_latest_when_the_process_ends(instruments: Instruments) -> None:
    """A span is worth nothing in a process that is gone."""
    collector = Collector()
    queue = SpanQueue(collector.export, instruments, limit_spans=5_000)
    for _ in range(2 * BATCH_SPANS + 1):
        queue.take(SPAN)
    queue.close(timeout_seconds=10)
    assert sum(collector.batches) == 2 * BATCH_SPANS + 1
    assert max(collector.batches) <= BATCH_SPANS
    assert counts(instruments) == {"exported": 1025.0, "queue_full": 0.0, "export_failed": 0.0, "shutdown": 0.0}


def test_a_collector_that_hangs_costs_spans_and_no_work(instruments: Instruments) -> None:
    """More than the limit is dropped and counted, and the end of the process does not wait for the rest."""
    collector = Collector()
    collector.is_open.clear()
    queue = SpanQueue(collector.export, instruments, limit_spans=10)
    queue.take(SPAN)
    assert collector.is_held.wait(10)
    for _ in range(25):
        queue.take(SPAN)
    assert counts(instruments)["queue_full"] == 15
    queue.close(timeout_seconds=0.01)
    assert counts(instruments)["shutdown"] == 11
    collector.is_open.set()


def test_a_collector_that_refuses_is_reported_once_and_so_is_its_recovery(instruments: Instruments) -> None:
    """One line for an outage of any length: a line for each batch would hide the others."""
    collector = Collector()
    collector.is_refusing = True
    with capture_logs() as lines:
        queue = SpanQueue(collector.export, instruments, limit_spans=100)
        for lost in (1, 2, 3):
            queue.take(SPAN)
            eventually(lambda lost=lost: counts(instruments)["export_failed"] == lost, timeout_seconds=10)  # type: ignore[misc]
        collector.is_refusing = False
        queue.take(SPAN)
        queue.close(timeout_seconds=10)
    assert counts(instruments)["exported"] == 1
    assert [line["event"] for line in lines] == [
        "spans are not accepted, traces have gaps",
        "spans are accepted again",
    ]


def test_a_defect_of_the_exporter_ends_neither_the_thread_nor_the_process(instruments: Instruments) -> None:
    """Whatever a library raises, the next batch is tried."""

    def defective(_spans: Sequence[Span], seen: list[Any] = []) -> None:  # noqa: B006 - one test's
        seen.append(1)
        if len(seen) == 1:
            raise ZeroDivisionError

    queue = SpanQueue(defective, instruments, limit_spans=100)
    queue.take(SPAN)
    eventually(lambda: counts(instruments)["export_failed"] == 1, timeout_seconds=10)
    queue.take(SPAN)
    queue.close(timeout_seconds=10)
    assert counts(instruments)["exported"] == 1
