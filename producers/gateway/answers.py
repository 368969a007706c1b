"""The waiting room: requests wait here for the events of their jobs.

Every gateway replica follows the answer topics by itself, without a consumer group, and takes what its own
requests wait for: so any number of replicas works, and none has to know of another. Several requests may wait
for one job.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

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
from schemas.roles import Role

WAITING_LIMIT: Final = 2_000
"""Requests that wait at once; more are refused. Each holds a connection and a file that is spooled."""

EventT = TypeVar("EventT", bound=JobEvent)


class JobFailed(Exception):
    """The job ended in a dead letter."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Crowded(Exception):
    """As many requests wait as there may be."""


class Stopping(Exception):
    """The gateway stops before the answer is there."""


@dataclass(eq=False, slots=True)
class Waiting:
    """What one request waits for. ``withdrawn`` is set when another's cancellation may have stopped the job."""

    job_id: str
    transcript: asyncio.Future[TranscriptEvent]
    enrichment: asyncio.Future[EnrichmentEvent]
    withdrawn: asyncio.Event = field(default_factory=asyncio.Event)
    troubles: dict[str, Failure] = field(default_factory=dict)
    """By stage, why its last attempt failed that is followed by another one."""

    @property
    def is_transcribed(self) -> bool:
        """Whether the transcript has come. A wait that was given up has none."""
        return self.transcript.done() and not self.transcript.cancelled() and self.transcript.exception() is None

    def why_late(self, stage: str) -> str | None:
        """What a stage says of its last attempt, if that failed and another one follows."""
        failure = self.troubles.get(stage)
        return f"attempt {failure.attempt} failed ({failure.message})" if failure else None


@dataclass(slots=True)
class _Room:
    """Those who wait for one job, and the references that this replica has published for it."""

    waiting: list[Waiting] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    def asked_with(self, reference_event_id: str | None) -> bool:
        """Whether the end of a reference is the end for those here. Of another client's it is not: what that one
        does not finish is done for ours. Events of older releases name no reference."""
        return reference_event_id is None or reference_event_id in self.references


@dataclass(slots=True)
class Answers:
    """Matches events to requests by job id. Belongs to one event loop; ``offer`` may be called from any thread."""

    topics: Topics
    loop: asyncio.AbstractEventLoop
    _rooms: dict[str, _Room] = field(default_factory=dict)
    _count: int = 0
    _stopping: bool = False

    @contextmanager
    def expected(self, job_id: str) -> Iterator[Waiting]:
        """Waits for a job's events while the context lasts; entered before the reference is published.

        Raises Crowded, and Stopping once the gateway stops.
        """
        if self._stopping:
            raise Stopping
        if self._count >= WAITING_LIMIT:
            raise Crowded
        waiting = Waiting(job_id, self.loop.create_future(), self.loop.create_future())
        self._rooms.setdefault(job_id, _Room()).waiting.append(waiting)
        self._count += 1
        try:
            yield waiting
        finally:
            self._leave(waiting)

    def is_ours(self, waiting: Waiting, transcript: TranscriptEvent) -> bool:
        """Whether a transcript's enrichment rests on a reference of this replica's, for those who wait now."""
        return not transcript.shared and transcript.reference_event_id in self._rooms[waiting.job_id].references

    def publishing(self, waiting: Waiting, reference_event_id: str) -> None:
        """Takes note of a reference that is about to be published for a job that is waited for."""
        self._rooms[waiting.job_id].references.append(reference_event_id)

    def has_published(self, waiting: Waiting) -> bool:
        """Whether this replica published a reference for the job while somebody waited."""
        return bool(self._rooms[waiting.job_id].references)

    def to_withdraw(self, waiting: Waiting) -> tuple[str, ...]:
        """The references to withdraw if this request gives up now: none while others wait for the job as well."""
        room = self._rooms[waiting.job_id]
        return () if len(room.waiting) > 1 else tuple(room.references)

    def give(self, future: asyncio.Future[EventT], event: EventT) -> None:
        """Answers a wait with an event that was found elsewhere; the first answer stays."""
        _give(future, event)

    def stop(self) -> None:
        """Whoever waits, waits no longer: Stopping is raised there."""
        self._stopping = True
        for room in self._rooms.values():
            for waiting in room.waiting:
                _fail(waiting.transcript, Stopping())
                _fail(waiting.enrichment, Stopping())

    def __len__(self) -> int:
        return self._count

    def offer(self, record: Record) -> None:
        """Hands over a record of the answer topics. Never blocks or raises: what is not ours is passed by."""
        # The key of our events is the job id: records of others are dropped before they are parsed.
        job_id = (record.key or b"").decode("ascii", "replace")
        if job_id not in self._rooms and record.topic != self.topics.cancellations:
            return
        deliver = self._delivery(record, job_id)
        if deliver is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(deliver)

    def _delivery(self, record: Record, job_id: str) -> "Callable[[], None] | None":
        kinds: dict[str, type[JobEvent | CancellationEvent]] = {
            self.topics.transcripts: TranscriptEvent,
            self.topics.enrichments: EnrichmentEvent,
            self.topics.progress: ProgressEvent,
            self.topics.cancellations: CancellationEvent,
        }
        try:
            event = decode(record, kinds[record.topic])
        except (JobError, KeyError):
            return None
        if isinstance(event, CancellationEvent):
            return partial(self._cancelled, event)
        return partial(self._deliver, job_id, event)

    def _deliver(self, job_id: str, event: JobEvent) -> None:
        room = self._rooms.get(job_id)
        if room is None or (isinstance(event, ProgressEvent) and not room.asked_with(event.reference_event_id)):
            return
        for waiting in room.waiting:
            _tell(waiting, event)

    def _cancelled(self, event: CancellationEvent) -> None:
        """A cancellation names jobs or references, whatever its record's key is."""
        jobs = event.job_ids or [
            job_id
            for job_id, room in self._rooms.items()
            if not room.references or not set(room.references).isdisjoint(event.reference_event_ids)
        ]
        for job_id in jobs:
            room = self._rooms.get(job_id)
            for waiting in room.waiting if room else ():
                waiting.withdrawn.set()

    def _leave(self, waiting: Waiting) -> None:
        room = self._rooms[waiting.job_id]
        room.waiting.remove(waiting)
        self._count -= 1
        if not room.waiting:
            del self._rooms[waiting.job_id]
        for future in (waiting.transcript, waiting.enrichment):
            if not future.cancel() and not future.cancelled():
                future.exception()  # so that asyncio does not complain of a failure that nobody asked about


def _tell(waiting: Waiting, event: JobEvent) -> None:
    match event:
        case TranscriptEvent():
            _give(waiting.transcript, event)
        case EnrichmentEvent():
            _give(waiting.enrichment, event)
        case ProgressEvent(phase=Phase.RETRYING, failure=Failure() as failure):
            waiting.troubles[event.stage] = failure
        case ProgressEvent(phase=Phase.CANCELLED):
            # By another client, for somebody waits here: the request asks again.
            waiting.withdrawn.set()
        case ProgressEvent(phase=Phase.FAILED, failure=Failure(reason=Reason.KEY_REUSED)):
            # Of one reference, not of the job: every request compares the transcript with what it asked for.
            pass
        case ProgressEvent(phase=Phase.FAILED, failure=Failure() as failure):
            # A transcript that is there stays there: the enricher's failure is the enrichment's alone.
            of_enricher = event.stage == Role.ENRICHER
            _fail(waiting.enrichment if of_enricher else waiting.transcript, JobFailed(failure))


def _give(future: asyncio.Future[EventT], event: EventT) -> None:
    if not future.done():
        future.set_result(event)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
