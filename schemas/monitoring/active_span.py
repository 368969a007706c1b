"""A step that has begun: what it learns until it ends. See ``tracing`` for how steps begin."""

from asyncio import CancelledError
from typing import Final, Self

from schemas.clock import Clock
from schemas.errors import JobCancelled, JobError
from schemas.kafka.trace import Trace, random_hex
from schemas.monitoring.spans import (
    NO_ATTRIBUTES,
    Attributes,
    AttributeValue,
    Span,
    SpanEvent,
    SpanKind,
    SpanLink,
    SpanSink,
)

EVENTS_LIMIT: Final = 128
"""Events of one span; a file of hours has more batches. ``kascribe.events_dropped`` counts the rest."""

SECOND_NS: Final = 1_000_000_000


class Timeline:
    """What the spans of one record or request share in one process: trace, sink and time.

    Times are monotonic from one reading of the time of day, so that steps lie within each other when that is set.
    """

    __slots__ = ("clock", "is_discarded", "offset_ns", "sink", "trace_id")

    def __init__(self, sink: SpanSink, clock: Clock, trace_id: str, offset_ns: int) -> None:
        self.sink = sink
        self.clock = clock
        self.trace_id = trace_id
        self.offset_ns = offset_ns
        self.is_discarded = False

    def at(self, monotonic: float | None) -> int:
        """Return a moment of the monotonic clock, or now, in nanoseconds since the epoch."""
        return self.offset_ns + int((self.clock.monotonic() if monotonic is None else monotonic) * SECOND_NS)


class ActiveSpan:
    """A step that has begun. One thread writes at a time; moments are of the monotonic clock, in seconds."""

    __slots__ = (
        "_attributes",
        "_dropped",
        "_error",
        "_events",
        "_has_ended",
        "_kind",
        "_links",
        "_name",
        "_parent_id",
        "_timeline",
        "span_id",
        "started_ns",
    )  # fmt: skip

    is_recorded: Final = True

    def __init__(
        self,
        timeline: Timeline,
        span_id: str,
        parent_id: str | None,
        name: str,
        *,
        kind: SpanKind,
        started_ns: int,
        attributes: Attributes,
    ) -> None:
        self.span_id = span_id
        self._timeline = timeline
        self._parent_id = parent_id
        self._name = name
        self._kind = kind
        self.started_ns = started_ns
        self._attributes: dict[str, AttributeValue] = dict(attributes)
        self._events: list[SpanEvent] = []
        self._links: list[SpanLink] = []
        self._dropped = 0
        self._error: str | None = None
        self._has_ended = False

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to."""
        return self._timeline.trace_id

    @property
    def traceparent(self) -> str:
        """The header for a request that is made within this step."""
        return Trace(self.trace_id, self.span_id).traceparent

    def set(self, attributes: Attributes) -> None:
        """Add attributes; later ones replace earlier ones."""
        self._attributes.update(attributes)

    def rename(self, name: str) -> None:
        """Replace the name, once it is known what the step was."""
        self._name = name

    def event(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, at: float | None = None) -> None:
        """Note a moment. Beyond ``EVENTS_LIMIT`` only the number is kept."""
        if len(self._events) >= EVENTS_LIMIT:
            self._dropped += 1
        else:
            self._events.append(SpanEvent(name, self._timeline.at(at), attributes))

    def link(self, other: Trace) -> None:
        """Link a span that this one follows."""
        self._links.append(SpanLink(other.trace_id, other.span_id))

    def fail(self, error: BaseException | str) -> None:
        """Mark the step as failed. Cancellation is no failure: it is noted as an event."""
        if isinstance(error, JobCancelled | CancelledError):
            self.event("cancelled")
        else:
            self._error = error if isinstance(error, str) else error_type(error)

    def discard(self) -> None:
        """Drop this span, its parents and its children of this record: there was nothing to do."""
        self._timeline.is_discarded = True

    def child(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        started_at: float | None = None,
        from_start: bool = False,
    ) -> "ActiveSpan":
        """Begin a step within this one: now, at a moment, or where this one started."""
        started_ns = self.started_ns if from_start else self._timeline.at(started_at)
        span_id = random_hex(8)
        return ActiveSpan(
            self._timeline, span_id, self.span_id, name, kind=kind, started_ns=started_ns, attributes=attributes
        )

    def end(self, *, at: float | None = None, before: "ActiveSpan | None" = None) -> None:
        """Hand the step over: it ends now, at a moment, or where another step began. Safe to repeat."""
        if self._has_ended or self._timeline.is_discarded:
            return
        self._has_ended = True
        if self._dropped:
            self._attributes["kascribe.events_dropped"] = self._dropped
        if self._error is not None:
            self._attributes.setdefault("error.type", self._error)
        self._timeline.sink.take(
            Span(
                name=self._name,
                kind=self._kind,
                trace_id=self.trace_id,
                span_id=self.span_id,
                parent_id=self._parent_id,
                started_ns=self.started_ns,
                ended_ns=max(self.started_ns, before.started_ns if before else self._timeline.at(at)),
                attributes=self._attributes,
                events=tuple(self._events),
                links=tuple(self._links),
                error=self._error,
            )
        )


class NoSpan:
    """The step of a trace that is not recorded."""

    __slots__ = ()

    is_recorded: Final = False
    traceparent: Final = None

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def event(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, at: float | None = None) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


NO_SPAN: Final = NoSpan()


def error_type(error: BaseException) -> str:
    """Return the reason of an error, or its type: messages may quote what must not leave the process."""
    return error.reason.value if isinstance(error, JobError) else type(error).__qualname__
