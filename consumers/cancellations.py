"""The cancellations of jobs and references that callers and the gateway publish."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final
from weakref import WeakSet

import structlog

from consumers.kafka.partition_reader import PartitionReader
from schemas.clock import Clock, SystemClock
from schemas.errors import JobError
from schemas.events import CancellationEvent
from schemas.kafka import wire
from schemas.kafka.records import Record

REMEMBERED_LIMIT: Final = 10_000
"""Most jobs, and most references, remembered. A forgotten cancellation costs work, never a result."""

ANY_JOB: Final = ("",)
"""Stands for a job's id where references are cancelled whatever job they requested."""

LOGGED_LIMIT: Final = 20
"""Most references in one log line."""

_log: Final = structlog.get_logger(__name__)


class TrackedRequest:
    """One request for a job, while its record works on the job or follows the record that does."""

    def __init__(
        self, cancellations: "Cancellations", job_id: str, *, requested_at: datetime, event_id: str | None
    ) -> None:
        self.job_id = job_id
        self.event_id = event_id
        self._requested_at = requested_at
        self._cancellations = cancellations

    def is_cancelled(self) -> bool:
        """Return whether the caller has cancelled the request. Never blocks."""
        return self._cancellations.is_cancelled(
            self.job_id, requested_at=self._requested_at, event_id=self.event_id
        )


class Cancellations:
    """The latest cancellations: of references by event id, of jobs by time. Thread-safe."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._references: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._jobs: OrderedDict[str, datetime] = OrderedDict()
        self._requests: WeakSet[TrackedRequest] = WeakSet()
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()

    def track(self, job_id: str, *, requested_at: datetime, event_id: str | None) -> TrackedRequest:
        """Return a handle on a request that is being worked on; it is tracked while the handle is referenced.

        ``event_id`` is as in ``is_cancelled``. A ``requested_at`` in the future counts as now.
        """
        requested_at = min(requested_at, self._clock.now())
        request = TrackedRequest(self, job_id, requested_at=requested_at, event_id=event_id)
        with self._lock:
            self._requests.add(request)
        return request

    def is_cancelled(self, job_id: str, *, requested_at: datetime, event_id: str | None) -> bool:
        """Return whether this reference, or its whole job, was cancelled; other references do not count.

        Without an ``event_id``, only a cancellation of all references of the job counts.
        """
        if event_id is not None and ((job_id, event_id) in self._references or ("", event_id) in self._references):
            return True
        cancelled_at = self._jobs.get(job_id)
        return cancelled_at is not None and requested_at <= cancelled_at

    def add(self, record: Record) -> None:
        """Remember the cancellation in a record of the cancellations topic. Never raises.

        Logs a record that cannot be decoded, and one that matches no job in flight here: such a job may be in
        flight in another process, or arrive later.
        """
        event = _decoded(record)
        if event is None:
            return
        has_match = self._remember(event)
        if not has_match:
            _log.info(
                "cancellation matches no job in flight",  # docs/correlation.md names this event
                job_ids=event.job_ids,
                reference_event_ids=event.reference_event_ids[:LOGGED_LIMIT],
            )

    def add_past(self, record: Record) -> None:
        """Remember a cancellation of the past, of which no job in flight is expected. Never raises."""
        event = _decoded(record)
        if event is not None:
            self._remember(event)

    def _remember(self, event: CancellationEvent) -> bool:
        """Remember a cancellation, and return whether it matches a job in flight."""
        cancelled_at = min(event.occurred_at, self._clock.now())
        with self._lock:
            for job_id in event.job_ids if not event.reference_event_ids else ():
                self._jobs[job_id] = max(cancelled_at, self._jobs.get(job_id, cancelled_at))
                self._jobs.move_to_end(job_id)
            for event_id in event.reference_event_ids[:REMEMBERED_LIMIT]:
                for job_id in event.job_ids or ANY_JOB:
                    self._references[job_id, event_id] = None
            _forget_oldest(self._references)
            _forget_oldest(self._jobs)
            return any(_matches(event, request) for request in self._requests)


def past_cancellations(reader: PartitionReader, topic: str) -> Cancellations:
    """Read what the topic has of cancellations. Blocks; raises DependencyDown. A missing topic has none."""
    past = Cancellations()
    for number in reader.partitions_by_topic().get(topic, ()):
        first, end = reader.bounds((topic, number))
        for record in reader.records((topic, number), first, end):
            past.add_past(record)
    return past


def _decoded(record: Record) -> CancellationEvent | None:
    try:
        return wire.decode(record, CancellationEvent)
    except JobError as error:
        _log.warning("cancellation cannot be decoded", record=str(record.coordinates), error=str(error))
        return None


def _matches(event: CancellationEvent, request: TrackedRequest) -> bool:
    is_job = not event.job_ids or request.job_id in event.job_ids
    is_reference = not event.reference_event_ids or request.event_id in event.reference_event_ids
    return is_job and is_reference and bool(event.job_ids or event.reference_event_ids)


def _forget_oldest(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > REMEMBERED_LIMIT:
        remembered.popitem(last=False)
