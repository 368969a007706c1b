"""Spans on their way out: a bounded queue, and the thread that empties it. Work never waits for either.

::

    take ─▶ queue (full: dropped, counted) ─▶ thread: batches ─▶ export (fails: dropped, counted)
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

import structlog

from consumers.metrics import Instruments
from schemas.monitoring import Metric
from schemas.monitoring.spans import Span

BATCH_SPANS: Final = 512
"""Spans of one export, as in OpenTelemetry's batch processor."""

DELAY_SECONDS: Final = 1.0
"""Longest wait of a span before its export begins, while exports succeed."""

EXPORTED: Final = Metric(
    "kascribe_trace_spans_exported_total",
    "counter",
    "spans",
    (),
    "Spans of traces that the collector has accepted.",
)
DropReason = Literal["queue_full", "export_failed", "shutdown"]
DROP_REASONS: Final[tuple[DropReason, ...]] = ("queue_full", "export_failed", "shutdown")

DROPPED: Final = Metric(
    "kascribe_trace_spans_dropped_total",
    "counter",
    "spans",
    ("reason",),
    "Spans that were not sent: queue_full (more than KASCRIBE_TRACING_QUEUE_LIMIT_SPANS waited), export_failed "
    "(the collector did not answer in time or refused them), shutdown (the process ended first).",
    values=DROP_REASONS,
)
TRACING_METRICS: Final = (EXPORTED, DROPPED)

Export = Callable[[Sequence[Span]], None]
"""Sends spans and returns once they are accepted. Blocks; raises ExportFailed."""

_log: Final = structlog.get_logger(__name__)


class ExportFailed(Exception):
    """The collector did not accept a batch: its spans are dropped."""


class SpanQueue:
    """Implements ``schemas.monitoring.spans.SpanSink``. Starts a thread, which ``close`` ends."""

    def __init__(self, export: Export, metrics: Instruments, *, limit_spans: int) -> None:
        self._export = export
        self._limit_spans = limit_spans
        self._exported = metrics.counter(EXPORTED)
        dropped = metrics.counter(DROPPED)
        self._dropped = {reason: dropped.labels(reason) for reason in DROP_REASONS}
        self._spans: deque[Span] = deque()
        self._wake = threading.Event()
        self._sending = 0
        self._is_closing = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def take(self, span: Span) -> None:
        """Queue a span, or drop it when too many wait. Never blocks or raises."""
        if len(self._spans) >= self._limit_spans:
            self._dropped["queue_full"].inc()
            return
        self._spans.append(span)
        if len(self._spans) == BATCH_SPANS:
            self._wake.set()

    def close(self, *, timeout_seconds: float) -> None:
        """Send what waits within the time, and drop the rest. Blocks for that time at most."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            self._dropped["shutdown"].inc(self._sending + len(self._spans))
            self._spans.clear()

    def _run(self) -> None:
        while self._spans or not self._is_closing:
            if not self._is_closing and len(self._spans) < BATCH_SPANS:
                self._wake.wait(DELAY_SECONDS)
                self._wake.clear()
            self._send()

    def _send(self) -> None:
        batch = [self._spans.popleft() for _ in range(min(BATCH_SPANS, len(self._spans)))]
        if not batch:
            return
        self._sending = len(batch)
        try:
            self._export(batch)
        except Exception as error:  # noqa: BLE001 - a defect of the exporter must not end the thread, nor any work
            self._dropped["export_failed"].inc(len(batch))
            if not self._is_failing:
                _log.warning("spans are not accepted, traces have gaps", error=str(error), dropped=len(batch))
            self._is_failing = True
        else:
            self._exported.inc(len(batch))
            if self._is_failing:
                _log.info("spans are accepted again")
            self._is_failing = False
        self._sending = 0
