"""The log context of a job: which record, attempt and trace a line belongs to, and what the stage has bound."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from consumers.runtime.partition import Flight
from schemas.monitoring.tracing import current_span

_log: Final = structlog.get_logger(__name__)
_current: Final[ContextVar[Flight | None]] = ContextVar("kascribe_flight", default=None)


def job_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add record, attempt, trace, span and the stage's own names to a line about a job. A structlog processor.

    The flight is looked up when something is logged: binding it for every job would cost more than the rest of
    the hand-over.
    """
    flight = _current.get()
    if flight is not None:
        event.setdefault("record", str(flight.record.coordinates))
        event.setdefault("attempt", flight.attempt)
        trace, step = flight.as_job().trace, current_span()
        event.setdefault("trace_id", trace.trace_id)
        event.setdefault("span_id", trace.span_id if step is None else step.span_id)
        for name, value in flight.bound.items():
            event.setdefault(name, value)
    return event


def log_dropped(flight: Flight) -> None:
    """Log that an attempt has no effect, because its partition is released."""
    with about(flight):
        _log.info("record dropped", why="its attempt had begun" if flight.started else "it had not begun")


def enter(flight: Flight) -> None:
    """Attribute the lines of this thread to a flight, until ``leave``."""
    _current.set(flight)


def leave() -> None:
    """Attribute the lines of this thread to no flight."""
    _current.set(None)


@contextmanager
def about(flight: Flight) -> Iterator[None]:
    """Attribute the lines of this thread to a flight within the context."""
    token = _current.set(flight)
    try:
        yield
    finally:
        _current.reset(token)
