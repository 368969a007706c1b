"""Progress events of a reference in one role: best effort while it is processed, reliable at the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumers.runtime.ports import Job
from schemas import identity
from schemas.clock import Clock
from schemas.errors import JobError
from schemas.events import Failure, Phase, ProgressEvent
from schemas.kafka import wire
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT
from schemas.kafka.records import OutgoingRecord
from schemas.monitoring.tracing import note
from schemas.options import Lane
from schemas.roles import Role

INTERVAL_SECONDS: Final = 0.5
"""Shortest time between two reports of a running phase: people read no faster than two texts a second."""


@dataclass(frozen=True, slots=True)
class ProgressEvents:
    """Builder for the progress events of one reference in one role.

    ``correlation`` identifies the reference: see ``JobEvent.correlation``.
    """

    role: Role
    correlation: Mapping[str, Any]
    clock: Clock
    new_id: Callable[[], str] = identity.random_id

    def interim(
        self,
        phase: Phase,
        *,
        fraction: float | None = None,
        text: str | None = None,
        text_offset: int | None = None,
    ) -> ProgressEvent:
        """Return an event about a phase that begins or continues."""
        return self._event(self.new_id(), phase, fraction=fraction, text=text, text_offset=text_offset)

    def retry(self, error: JobError, *, attempt: int) -> ProgressEvent:
        """Return an event about a failed attempt that will be retried."""
        message = str(error)[:MESSAGE_CHARACTERS_LIMIT]
        failure = Failure(reason=error.reason, message=message, attempt=attempt)
        return self._event(self.new_id(), Phase.RETRYING, failure=failure)

    def end(self, phase: Phase, *, failure: Failure | None = None, result_uri: str | None = None) -> ProgressEvent:
        """Return the one event about the end of the reference. Its id is the same whenever it is built again."""
        digest = identity.request_digest(self.correlation["reference_event_id"] or "", self.role)
        event_id = f"{self.correlation['job_id']}.{self.role}.{phase.value}.{digest}"
        fraction = 1.0 if phase is Phase.COMPLETED else None
        return self._event(event_id, phase, fraction=fraction, failure=failure, result_uri=result_uri)

    def _event(self, event_id: str, phase: Phase, **fields: Any) -> ProgressEvent:
        return ProgressEvent(
            **self.correlation,
            event_id=event_id,
            occurred_at=self.clock.now(),
            phase=phase,
            stage=self.role,
            **fields,
        )


class JobProgress:
    """Progress of one attempt at a record. Methods that report publish at once, best effort, from any thread."""

    def __init__(self, job: Job, events: ProgressEvents, *, topic: str) -> None:
        self._job = job
        self._events = events
        self._topic = topic

    def report(
        self,
        phase: Phase,
        *,
        fraction: float | None = None,
        text: str | None = None,
        text_offset: int | None = None,
    ) -> None:
        """Report a phase that begins or continues."""
        event = self._events.interim(phase, fraction=fraction, text=text, text_offset=text_offset)
        self._job.report(self._encode(event))

    def report_retry(self, error: JobError) -> None:
        """Report a failed attempt, unless it was the last: FAILED then goes out with the dead letter."""
        if not self._job.is_final(error):
            self._job.report(self._encode(self._events.retry(error, attempt=self._job.attempt)))

    def end_record(
        self, phase: Phase, *, failure: Failure | None = None, result_uri: str | None = None
    ) -> OutgoingRecord:
        """Return the record about the end of the reference, to be published with the stage's other outputs."""
        return self._encode(self._events.end(phase, failure=failure, result_uri=result_uri))

    def _encode(self, event: ProgressEvent) -> OutgoingRecord:
        return wire.encode(event, topic=self._topic, key=event.job_id, trace=self._job.trace)


class RateLimit:
    """One permission per ``interval_seconds``; the first at once. Not thread-safe."""

    def __init__(self, clock: Clock, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._next = clock.monotonic()

    def try_acquire(self) -> bool:
        """Take the permission if one is due. Never blocks."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + self._interval_seconds
        return True


def note_job(job_id: str, *, tenant: str | None, lane: Lane) -> None:
    """Name the job in the span of the attempt, so that its trace is found by it."""
    note({"kascribe.job_id": job_id, "kascribe.lane": lane.value, "kascribe.tenant": tenant or ""})
