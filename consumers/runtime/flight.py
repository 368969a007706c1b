"""A record in flight: from its hand-over to the stage until its outcome is settled."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

import structlog
from structlog.typing import EventDict, WrappedLogger

from consumers.runtime.execution.descriptors import shortage
from consumers.runtime.partition import AssignedPartition
from consumers.runtime.stage import Job, Stage, Weight
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.wire import trace_of

_NO_WEIGHT: Final = Weight()
_current: ContextVar["Flight | None"] = ContextVar("kascribe_flight", default=None)


def job_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: lines about a job, while it runs or is settled, say which record, attempt and trace
    they belong to, and what its stage has bound.

    Looked up when something is logged: binding it for every job would cost more than the rest of the hand-over.
    """
    flight = _current.get()
    if flight is not None:
        event.setdefault("record", str(flight.record.coordinates))
        event.setdefault("attempt", flight.attempt)
        event.setdefault("trace_id", flight.as_job().trace.trace_id)
        for name, value in flight.bound.items():
            event.setdefault(name, value)
    return event


@contextmanager
def speaking_of(flight: "Flight") -> Iterator[None]:
    """What this thread logs within the context is about this flight."""
    token = _current.set(flight)
    try:
        yield
    finally:
        _current.reset(token)


class JobSupport(Protocol):
    """What the runtime does for a running job. Called from the stage's threads."""

    def report(self, record: OutgoingRecord) -> None:
        """Publishes at once, best effort. Must not block."""
        ...

    def reweigh(self, flight: "Flight", weight: Weight) -> None:
        """Takes note that the record weighs something else now. Must not block."""
        ...

    def is_final(self, flight: "Flight", error: Exception) -> bool:
        """Whether the record becomes a dead letter if the attempt ends with ``error``. Must not block."""
        ...


class Flight:
    """One record, the attempt at it, and how that ended. ``bound`` is what a failed attempt's log lines carried,
    ``pauses`` how often it waited for a dependency that then answered at the first look.

    Written by one thread at a time: the owner until it is handed over, then a worker until ``outputs`` or
    ``error`` is set and it comes back. ``cancelled`` alone is written by the owner at any time.
    """

    __slots__ = (
        "_support",
        "attempt",
        "bound",
        "cancelled",
        "error",
        "job",
        "origin",
        "outputs",
        "partition",
        "pauses",
        "record",
        "seconds",
        "settled",
        "started",
        "taken_at",
        "weight",
    )

    def __init__(
        self,
        record: Record,
        partition: AssignedPartition,
        support: JobSupport,
        *,
        origin: Coordinates,
        attempt: int,
        taken_at: float,
    ) -> None:
        self.record = record
        self.partition = partition
        self.origin = origin
        self.attempt = attempt
        self.taken_at = taken_at
        self.weight = _NO_WEIGHT
        self.cancelled = False
        self.job: Job | None = None
        self.outputs: Sequence[OutgoingRecord] = ()
        self.error: BaseException | None = None
        self.bound: Mapping[str, object] = {}
        self.pauses = 0
        self.started = False
        self.settled = False
        self.seconds = 0.0
        self._support = support

    def run(self, stage: Stage) -> None:
        """One attempt, start to end, in the caller's thread. Blocks as long as the stage does; never raises."""
        began = time.perf_counter()
        self.started = True
        self.error = None
        _current.set(self)
        try:
            self.outputs = stage.process(self.as_job())
        except BaseException as error:  # noqa: BLE001 - whatever a stage raises is an outcome; the owner decides
            self.error = shortage(error)
            self.bound = structlog.contextvars.get_contextvars()
        _current.set(None)
        # What the stage bound, such as the job's id, belongs to this job.
        structlog.contextvars.clear_contextvars()
        self.seconds = time.perf_counter() - began

    def as_job(self) -> Job:
        """The attempt as the stage sees it; the same one for ``process`` and ``failed``, so one span."""
        if self.job is None:
            self.job = Job(
                self.record,
                self.origin,
                self.attempt,
                trace_of(self.record),
                self._support.report,
                self._weigh,
                self._is_cancelled,
                self._is_final,
            )
        return self.job

    def _weigh(self, weight: Weight) -> None:
        self._support.reweigh(self, weight)

    def _is_final(self, error: Exception) -> bool:
        return self._support.is_final(self, error)

    def _is_cancelled(self) -> bool:
        return self.cancelled


Done = Callable[[Flight], None]
