"""Work within a span, for tests that look at the spans of its steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.clock import SystemClock
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import Tracer, entered
from tests.unit.tracing.span_list import SpanList, assert_within


@contextmanager
def traced() -> Iterator[SpanList]:
    """Work within a span called ``attempt``; at the end every span has to lie within its parent."""
    sink = SpanList()
    tracer = Tracer(sink, sample_ratio=1.0, clock=SystemClock())
    attempt = tracer.begin(tracer.start(), "attempt", kind=SpanKind.INTERNAL)
    assert attempt is not None
    with entered(attempt):
        yield sink
    attempt.end()
    spans = {span.span_id: span for span in sink.spans}
    for span in spans.values():
        if span.parent_id is not None:
            assert_within(span, spans[span.parent_id])
