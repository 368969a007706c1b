"""What subscribers are told while a job runs: best effort, and seldom enough to cost nothing."""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from consumers.runtime.stage import Job
from consumers.transcriber.ports import HeardSoFar
from schemas import identity
from schemas.errors import JobError
from schemas.events import AudioReference, Failure, Phase, ProgressEvent
from schemas.kafka import wire
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT
from schemas.roles import Role
from schemas.transcripts.joining import joined

INTERVAL_SECONDS: Final = 0.5
"""Shortest time between two reports of text: two a second is as fast as people read."""

TEXT_LIMIT_CHARACTERS: Final = 4_000
"""Of one report; what is heard faster than that is in the transcript."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and identity, injected. ``clock`` is monotonic seconds, ``now`` the time of day in UTC."""

    clock: Callable[[], float]
    now: Callable[[], datetime]
    new_id: Callable[[], str]


def real_surroundings() -> Surroundings:
    """The machine's clocks, and random identifiers."""
    return Surroundings(clock=time.monotonic, now=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex)


def ended_event(
    correlation: Mapping[str, Any],
    stage: Role,
    phase: Phase,
    *,
    now: datetime,
    failure: Failure | None = None,
    result_uri: str | None = None,
) -> ProgressEvent:
    """The one reliable progress event of a reference in a stage. Its id is the same when it is published again."""
    asked = identity.request_digest(correlation["reference_event_id"] or "", stage)
    return ProgressEvent(
        **correlation,
        event_id=f"{correlation['job_id']}.{stage}.{phase.value}.{asked}",
        occurred_at=now,
        phase=phase,
        stage=stage,
        fraction=1.0 if phase is Phase.COMPLETED else None,
        failure=failure,
        result_uri=result_uri,
    )


def retrying_event(
    correlation: Mapping[str, Any], stage: Role, error: JobError, attempt: int, surroundings: Surroundings
) -> ProgressEvent:
    """Why an attempt failed that another one follows."""
    return ProgressEvent(
        **correlation,
        event_id=surroundings.new_id(),
        occurred_at=surroundings.now(),
        phase=Phase.RETRYING,
        stage=stage,
        failure=Failure(reason=error.reason, message=str(error)[:MESSAGE_CHARACTERS_LIMIT], attempt=attempt),
    )


class ProgressReporter:
    """Reports one job's phases and text through ``job.report``. Safe to call from the engine's threads."""

    def __init__(self, job: Job, reference: AudioReference, *, topic: str, surroundings: Surroundings) -> None:
        self._job = job
        self._correlation = reference.correlation()
        self._topic = topic
        self._surroundings = surroundings
        self._lock = threading.Lock()
        self._unsaid = ""
        self._fraction: float | None = None
        self._next_report = surroundings.clock()

    def enter(self, phase: Phase) -> None:
        """Reports a phase at once."""
        self._report(phase, fraction=None, text=None)

    def heard(self, progress: HeardSoFar) -> None:
        """Takes what was heard since the last call; reports it when the last report is old enough."""
        with self._lock:
            self._fraction = progress.fraction
            self._unsaid = joined((self._unsaid, progress.text))
            if self._surroundings.clock() < self._next_report:
                return
            self._next_report = self._surroundings.clock() + INTERVAL_SECONDS
            said = self._take()
        self._report(Phase.TRANSCRIBING, fraction=self._fraction, text=said)

    def flush(self) -> None:
        """Reports the text that has not been reported yet, if there is any."""
        with self._lock:
            said = self._take()
        if said:
            self._report(Phase.TRANSCRIBING, fraction=self._fraction, text=said)

    def _take(self) -> str | None:
        said, self._unsaid = self._unsaid[:TEXT_LIMIT_CHARACTERS], ""
        return said or None

    def _report(self, phase: Phase, *, fraction: float | None, text: str | None) -> None:
        event = ProgressEvent(
            **self._correlation,
            event_id=self._surroundings.new_id(),
            occurred_at=self._surroundings.now(),
            phase=phase,
            stage=Role.TRANSCRIBER,
            fraction=fraction,
            text=text,
        )
        self._job.report(wire.encode(event, topic=self._topic, key=event.job_id, trace=self._job.trace))
