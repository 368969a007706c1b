"""Measuring of spans: a tracer makes the first one of a process, and steps within it open theirs with ``span``.

::

    tracer.begin(trace, …) ─▶ entered(active) ─▶ with span("fetch"): … ─▶ active.end() ─▶ SpanSink

The span that a thread or a task works on is kept in a context variable, so that no step passes it on. Where there
is none (no tracer, or a trace that is not sampled) ``span`` costs one look at that variable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import TracebackType
from typing import Final

from schemas.clock import Clock
from schemas.kafka.trace import HeaderLookup, Trace
from schemas.monitoring.active_span import NO_SPAN, SECOND_NS, ActiveSpan, NoSpan, Timeline
from schemas.monitoring.spans import NO_ATTRIBUTES, Attributes, SpanKind, SpanSink

NOT_SAMPLED: Final = "00"
_LARGEST: Final = 1 << 64


class Tracer:
    """Begins spans, and decides which new traces are sampled. Thread-safe; never blocks.

    A trace that came from elsewhere keeps its sampler's decision. Of new ones ``sample_ratio`` is kept, by the
    trace id as OpenTelemetry does, so that any process decides the same about a trace.
    """

    def __init__(self, sink: SpanSink, *, sample_ratio: float, clock: Clock) -> None:
        self._sink = sink
        self._limit = int(sample_ratio * _LARGEST)
        self._clock = clock

    def continue_from(self, header: HeaderLookup) -> Trace:
        """Start a span of the trace in some headers, or of a new trace. See ``Trace.continue_from``."""
        trace = Trace.continue_from(header)
        return trace if trace.parent_id else self._sampled(trace)

    def start(self) -> Trace:
        """Start a new trace."""
        return self._sampled(Trace.start())

    def begin(
        self,
        trace: Trace,
        name: str,
        *,
        kind: SpanKind,
        started_ms: int | None = None,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> ActiveSpan | None:
        """Begin the span that ``trace`` names; None when its trace is not sampled.

        ``started_ms``, in milliseconds since the epoch, is ignored where it lies in the future.
        """
        if not trace.is_sampled:
            return None
        now = self._clock.monotonic()
        now_ns = int(self._clock.now().timestamp() * 1_000_000) * 1_000
        started_ns = now_ns if started_ms is None else min(now_ns, started_ms * 1_000_000)
        timeline = Timeline(self._sink, self._clock, trace.trace_id, now_ns - int(now * SECOND_NS))
        return ActiveSpan(
            timeline, trace.span_id, trace.parent_id, name, kind=kind, started_ns=started_ns, attributes=attributes
        )

    def _sampled(self, trace: Trace) -> Trace:
        is_kept = int(trace.trace_id[16:], 16) < self._limit
        return trace if is_kept else replace(trace, flags=NOT_SAMPLED)


_current: Final[ContextVar[ActiveSpan | None]] = ContextVar("kascribe_span", default=None)


def current_span() -> ActiveSpan | None:
    """Return the step that this thread or task works on; None where nothing is recorded."""
    return _current.get()


def note(attributes: Attributes) -> None:
    """Add attributes to the step that this thread or task works on, if it is recorded."""
    active = _current.get()
    if active is not None:
        active.set(attributes)


def discard() -> None:
    """Leave no span of the record or request at hand: there was nothing to do."""
    active = _current.get()
    if active is not None:
        active.discard()


@contextmanager
def entered(active: ActiveSpan | None) -> Iterator[None]:
    """Make a step the one that this thread or task works on, within the context. Does not end it."""
    token = _current.set(active)
    try:
        yield
    finally:
        _current.reset(token)


class _Step:
    """A child of the current span, for the time of a ``with`` statement."""

    __slots__ = ("_active", "_token")

    def __init__(self, active: ActiveSpan) -> None:
        self._active = active

    def __enter__(self) -> ActiveSpan:
        self._token = _current.set(self._active)
        return self._active

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        if error is not None:
            self._active.fail(error)
        self._active.end()


def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = NO_ATTRIBUTES
) -> _Step | NoSpan:
    """Measure a step within the current span, for the time of a ``with`` statement.

    An exception that leaves it marks it as failed. Where nothing is recorded, the target of the statement ignores
    what it is told.
    """
    parent = _current.get()
    return NO_SPAN if parent is None else _Step(parent.child(name, kind=kind, attributes=attributes))
