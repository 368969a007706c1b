"""Pending answers: each request waits here until the events of its job arrive.

Every gateway replica follows the answer topics by itself, without a consumer group, and keeps the events that its
own requests wait for. So any number of replicas works, and none has to know of another. Several requests may wait
for one job.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from schemas.errors import JobError, Reason
from schemas.events import (
    CancellationEvent,
    EnrichmentEvent,
    Failure,
    JobEvent,
    Phase,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.options import EnrichOptions
from schemas.results import is_result_of
from schemas.roles import Role

_log: Final = structlog.get_logger(__name__)
WAITING_LIMIT: Final = 2_000
"""Most requests that wait concurrently; more are refused. Each holds a connection and a spooled file."""

EventT = TypeVar("EventT", bound=JobEvent)
OnProgress = Callable[[ProgressEvent], None]
"""Called in the event loop with each event of a job's progress, in their order. Must not block."""


def ignore(_: ProgressEvent) -> None:
    """Observe nothing."""


class JobFailed(Exception):
    """The job ended in a dead letter."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TooManyWaiting(Exception):
    """The limit of waiting requests is reached."""


class GatewayStopping(Exception):
    """The gateway stops before the answer has arrived."""


@dataclass(eq=False, slots=True)
class Waiter:
    """One request's wait. ``cancelled_elsewhere``: another client's cancellation may have stopped the job.

    ``enrich`` are the options of the enrichment that answers it; None takes any. ``on_progress`` observes the
    progress of the references that this request has published: another's with the same key may be of other audio.
    """

    job_id: str
    transcript: asyncio.Future[TranscriptEvent]
    enrichment: asyncio.Future[EnrichmentEvent]
    enrich: EnrichOptions | None = None
    on_progress: OnProgress = ignore
    references: set[str] = field(default_factory=set)
    cancelled_elsewhere: asyncio.Event = field(default_factory=asyncio.Event)
    retried_failures: dict[str, Failure] = field(default_factory=dict)
    """By stage, the failure of its last attempt, which another attempt follows."""

    @property
    def is_transcribed(self) -> bool:
        """Whether the transcript has arrived. A cancelled wait has none."""
        return self.transcript.done() and not self.transcript.cancelled() and self.transcript.exception() is None

    def why_late(self, stage: str) -> str | None:
        """Describe the failure of a stage's last attempt, if another one follows it."""
        failure = self.retried_failures.get(stage)
        return f"attempt {failure.attempt} failed ({failure.message})" if failure else None


@dataclass(slots=True)
class _AwaitedJob:
    """The requests that wait for one job, and the references that this replica has published for it."""

    waiters: list[Waiter] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    def ends_with(self, reference_event_id: str | None) -> bool:
        """Return whether the end of a reference ends the job for these waiters.

        The end of another client's reference does not: the job continues for ours. Events of older releases name
        no reference.
        """
        return reference_event_id is None or reference_event_id in self.references


@dataclass(slots=True)
class PendingAnswers:
    """Matches events to requests by job id. Belongs to one event loop; ``offer`` may be called from any thread."""

    topics: Topics
    loop: asyncio.AbstractEventLoop
    _jobs: dict[str, _AwaitedJob] = field(default_factory=dict)
    _count: int = 0
    _is_stopping: bool = False

    @contextmanager
    def waiting_for(
        self, job_id: str, enrich: EnrichOptions | None = None, *, on_progress: OnProgress = ignore
    ) -> Iterator[Waiter]:
        """Wait for a job's events while the context lasts; enter it before the reference is published.

        Raises TooManyWaiting, and GatewayStopping once the gateway stops.
        """
        if self._is_stopping:
            raise GatewayStopping
        if self._count >= WAITING_LIMIT:
            raise TooManyWaiting
        waiter = Waiter(job_id, self.loop.create_future(), self.loop.create_future(), enrich, on_progress)
        self._jobs.setdefault(job_id, _AwaitedJob()).waiters.append(waiter)
        self._count += 1
        try:
            yield waiter
        finally:
            self._remove(waiter)

    def is_ours(self, waiter: Waiter, transcript: TranscriptEvent) -> bool:
        """Return whether a reference of this replica, published for the waiters, requests the enrichment."""
        return not transcript.shared and transcript.reference_event_id in self._jobs[waiter.job_id].references

    def add_reference(self, waiter: Waiter, reference_event_id: str) -> None:
        """Record a reference that is about to be published for a job with waiters."""
        waiter.references.add(reference_event_id)
        self._jobs[waiter.job_id].references.append(reference_event_id)

    def has_published(self, waiter: Waiter) -> bool:
        """Return whether this replica published a reference for the job while requests waited."""
        return bool(self._jobs[waiter.job_id].references)

    def references_to_cancel(self, waiter: Waiter) -> tuple[str, ...]:
        """Return the references to cancel if this request gives up now: none while others wait for the job too."""
        job = self._jobs[waiter.job_id]
        return () if len(job.waiters) > 1 else tuple(job.references)

    def resolve(self, future: asyncio.Future[EventT], event: EventT) -> None:
        """Answer a wait with an event found elsewhere. The first answer wins."""
        _resolve(future, event)

    def stop(self) -> None:
        """End every wait, now and later, with GatewayStopping."""
        self._is_stopping = True
        for job in self._jobs.values():
            for waiter in job.waiters:
                _fail(waiter.transcript, GatewayStopping())
                _fail(waiter.enrichment, GatewayStopping())

    def __len__(self) -> int:
        return self._count

    def offer(self, record: Record) -> None:
        """Take a record of the answer topics; ignore other jobs. Never blocks or raises."""
        # The key of our events is the job id: records of other jobs are dropped before they are parsed.
        job_id = (record.key or b"").decode("ascii", "replace")
        if job_id not in self._jobs and record.topic != self.topics.cancellations:
            return
        deliver = self._delivery_of(record, job_id)
        if deliver is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(deliver)

    def _delivery_of(self, record: Record, job_id: str) -> "Callable[[], None] | None":
        kinds: dict[str, type[JobEvent | CancellationEvent]] = {
            self.topics.transcripts: TranscriptEvent,
            self.topics.enrichments: EnrichmentEvent,
            self.topics.progress: ProgressEvent,
            self.topics.cancellations: CancellationEvent,
        }
        try:
            event = decode(record, kinds[record.topic])
        except (JobError, KeyError) as error:
            _log.warning(
                "record is not understood by the gateway", record=str(record.coordinates), error=str(error)
            )
            return None
        if isinstance(event, CancellationEvent):
            return partial(self._on_cancellation, event)
        return partial(self._deliver, job_id, event)

    def _deliver(self, job_id: str, event: JobEvent) -> None:
        job = self._jobs.get(job_id)
        if job is None or (isinstance(event, ProgressEvent) and not job.ends_with(event.reference_event_id)):
            return
        for waiter in job.waiters:
            _deliver_to(waiter, event)

    def _on_cancellation(self, event: CancellationEvent) -> None:
        """Mark the waiters of the named jobs or references; the key of the record is not used."""
        job_ids = event.job_ids or [
            job_id
            for job_id, job in self._jobs.items()
            if not job.references or not set(job.references).isdisjoint(event.reference_event_ids)
        ]
        for job_id in job_ids:
            job = self._jobs.get(job_id)
            for waiter in job.waiters if job else ():
                waiter.cancelled_elsewhere.set()

    def _remove(self, waiter: Waiter) -> None:
        job = self._jobs[waiter.job_id]
        job.waiters.remove(waiter)
        self._count -= 1
        if not job.waiters:
            del self._jobs[waiter.job_id]
        for future in (waiter.transcript, waiter.enrichment):
            if not future.cancel() and not future.cancelled():
                future.exception()  # retrieved, so that asyncio does not report it as never retrieved


def _deliver_to(waiter: Waiter, event: JobEvent) -> None:
    if isinstance(event, ProgressEvent) and event.reference_event_id in waiter.references:
        waiter.on_progress(event)
    match event:
        case TranscriptEvent():
            _resolve(waiter.transcript, event)
        case EnrichmentEvent():
            # The job may be enriched with other options at the same time, as by `kascribe enrich --all`.
            if waiter.enrich is None or is_result_of(event, waiter.enrich):
                _resolve(waiter.enrichment, event)
        case ProgressEvent(phase=Phase.RETRYING, failure=Failure() as failure):
            waiter.retried_failures[event.stage] = failure
        case ProgressEvent(phase=Phase.CANCELLED):
            # By another client, since a request waits here: it publishes its reference again.
            waiter.cancelled_elsewhere.set()
        case ProgressEvent(phase=Phase.FAILED, failure=Failure(reason=Reason.KEY_REUSED)):
            # One reference failed, not the job: every request compares the transcript with its own options.
            pass
        case ProgressEvent(phase=Phase.FAILED, failure=Failure() as failure):
            # A transcript that has arrived stays valid: the enricher's failure concerns the enrichment only.
            is_enrichers = event.stage == Role.ENRICHER
            _fail(waiter.enrichment if is_enrichers else waiter.transcript, JobFailed(failure))


def _resolve(future: asyncio.Future[EventT], event: EventT) -> None:
    if not future.done():
        future.set_result(event)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
