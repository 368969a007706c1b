"""A sink that keeps spans, and how tests look at them."""

import threading

from schemas.monitoring.spans import Span


class SpanList:
    """Implements ``schemas.monitoring.spans.SpanSink``. Thread-safe."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def take(self, span: Span) -> None:
        """Keep a span."""
        with self._lock:
            self._spans.append(span)

    @property
    def spans(self) -> list[Span]:
        """The spans so far, in the order in which they ended."""
        with self._lock:
            return list(self._spans)

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        """Return the one span of a name."""
        (span,) = self.named(name)
        return span

    def children(self, parent: Span) -> list[str]:
        """Return the names of a span's children, in the order in which they began."""
        found = [span for span in self.spans if span.parent_id == parent.span_id]
        return [span.name for span in sorted(found, key=lambda span: span.started_ns)]


def assert_within(inner: Span, outer: Span) -> None:
    """Check that a span lies within another one."""
    assert outer.started_ns <= inner.started_ns <= inner.ended_ns <= outer.ended_ns, (inner, outer)
