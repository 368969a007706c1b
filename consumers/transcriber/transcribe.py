"""The transcriber's stage: a record that names audio in, a transcript event out.

::

    read ─▶ claim ─▶ found? ─▶ cancelled? ─▶ transcribe and store ─▶ owner? ─▶ events
                        │          └─ yes ─▶ CANCELLED                 ▲
                        └──────────────────────────────────────────────┘
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.cancellations import Cancellations
from consumers.failures import FailureClaims, RequestIdentity
from consumers.once import OncePerJob, Requester, Steps
from consumers.progress import JobProgress, ProgressEvents, note_job
from consumers.runtime.ports import Job
from consumers.transcriber.attempt import Attempt, job_id_of
from consumers.transcriber.events import has_other_requirements, transcript_for
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.ports import JobObserver, Results, SpeechToText, UnobservedJobs
from consumers.transcriber.references import ReferenceReader
from consumers.transcriber.work import TranscriptionWork
from schemas import identity
from schemas.clock import Clock, SystemClock
from schemas.errors import ENGINE, JobError, KeyReused
from schemas.events import AudioReference, Failure, Phase, TranscriptEvent
from schemas.kafka import wire
from schemas.kafka.records import Answered, OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.monitoring.tracing import discard
from schemas.notifications import requested_at
from schemas.object_addresses import S3
from schemas.results import StoredJob
from schemas.roles import Role
from schemas.settings import S3Settings
from schemas.transcripts.subtitles.settings import SubtitleSettings

_log: Final = structlog.get_logger(__name__)


class TranscribeStage:
    """Implements ``consumers.runtime.ports.Stage``. Stateless but for its claims; safe to repeat."""

    name = Role.TRANSCRIBER

    def __init__(
        self,
        fetcher: ObjectFetcher,
        results: Results,
        engine: SpeechToText,
        *,
        topics: Topics,
        settings: S3Settings,
        subtitles: SubtitleSettings | None = None,
        cancellations: Cancellations | None = None,
        clock: Clock | None = None,
        new_id: Callable[[], str] = identity.random_id,
        observer: JobObserver | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._results = results
        self._engine = engine
        self._topics = topics
        self._cancellations = cancellations or Cancellations()
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._references = ReferenceReader(fetcher, topics=topics, settings=settings)
        self._work = TranscriptionWork(
            fetcher,
            results,
            engine,
            subtitles=subtitles or SubtitleSettings(),
            clock=self._clock,
            observer=observer or UnobservedJobs(),
        )
        self._once = OncePerJob()
        self._failures = FailureClaims(results, clock=self._clock)

    @property
    def topics(self) -> tuple[str, ...]:
        """References and bucket notifications."""
        return (self._topics.references, self._topics.objects)

    @property
    def retried_topics(self) -> tuple[str, ...]:
        """All of them."""
        return self.topics

    @property
    def services(self) -> tuple[str, ...]:
        """The bucket."""
        return (S3,)

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Return the events of the job that a record names. See ``Stage.process``.

        Of the records with one identity the owner publishes the transcript. Any other reference gets COMPLETED
        with the result's address; any other notification completes without output.
        """
        with bound_contextvars(trace_id=job.trace.trace_id):
            return self._failures.run(job, self._process, identify=self._identify)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Return the FAILED event for a dead letter, with as much of the job's identity as the record has."""
        reference = self._references.best_guess(job, now=self._clock.now())
        return (self._progress(job, reference).end_record(Phase.FAILED, failure=failure),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Return whether the bucket answers and takes results, the engine works, or the disk has room."""
        if dependency == ENGINE:
            return self._engine.is_healthy()
        return self._fetcher.is_up(dependency) and (dependency != S3 or self._results.is_writable())

    def _process(self, job: Job) -> Sequence[OutgoingRecord]:
        read = self._references.read(job, now=self._clock.now())
        if read.reference is None:
            _log.debug("nothing to transcribe", origin=str(job.origin), forwarded=len(read.forwarded))
            if not read.forwarded:
                discard()
            return read.forwarded
        # Stays bound: the runtime logs it too when it settles an error raised here.
        bind_contextvars(job_id=job_id_of(read.reference))
        note_job(job_id_of(read.reference), tenant=read.reference.tenant, lane=read.reference.lane)
        progress = self._progress(job, read.reference)
        attempt = Attempt(job, read.reference, read.state, progress, self._clock.monotonic())
        try:
            return self._once.run(attempt.job_id, self._requester(attempt), self._steps(attempt))
        except JobError as error:
            progress.report_retry(error)
            raise

    def _requester(self, attempt: Attempt) -> Requester:
        reference = attempt.reference
        request = self._cancellations.track(
            attempt.job_id, requested_at=reference.occurred_at, event_id=reference.event_id
        )
        return Requester(attempt.job.origin, attempt.job.cancelled, request.is_cancelled)

    def _steps(self, attempt: Attempt) -> Steps[StoredJob]:
        return Steps(
            find=partial(self._results.find_job, attempt.job_id),
            do=partial(self._work.run, attempt),
            on_completed=partial(self._on_completed, attempt),
            on_completed_by_another=partial(self._on_completed_by_another, attempt),
            on_cancelled=partial(self._on_cancelled, attempt),
        )

    def _on_completed(self, attempt: Attempt, stored: StoredJob) -> Sequence[OutgoingRecord]:
        event = stored.event
        _log.info("job completed", reused=event.reused, transcript_uri=event.transcript_uri)
        return (
            self._encode(attempt, event),
            attempt.progress.end_record(Phase.COMPLETED, result_uri=event.transcript_uri),
        )

    def _on_completed_by_another(self, attempt: Attempt, stored: StoredJob) -> Sequence[OutgoingRecord]:
        """Return the result's address for a record that requests the same. Raises KeyReused."""
        job, reference, event = attempt.job, attempt.reference, stored.event
        if has_other_requirements(reference, stored) or not self._work.is_same_audio(attempt, stored):
            raise KeyReused(
                f"the idempotency key {reference.idempotency_key} names job {attempt.job_id}, which was asked for "
                "other audio, with other options or by another tenant: use another key"
            )
        _log.info("job completed by another record", origin=str(job.origin), owner=str(stored.owner))
        if self._references.is_notification(job):
            discard()  # every notification normally arrives twice
            return ()
        completed = attempt.progress.end_record(Phase.COMPLETED, result_uri=event.transcript_uri)
        own_event = transcript_for(reference, event)
        return (completed,) if own_event is None else (self._encode(attempt, own_event), completed)

    def _on_cancelled(self, attempt: Attempt) -> Sequence[OutgoingRecord]:
        _log.info("job cancelled", origin=str(attempt.job.origin))
        return (attempt.progress.end_record(Phase.CANCELLED),)

    def _identify(self, job: Job) -> RequestIdentity:
        reference = self._references.best_guess(job, now=self._clock.now())
        return RequestIdentity(job_id_of(reference), reference.event_id, requested_at(reference), reference.tenant)

    def _progress(self, job: Job, reference: AudioReference) -> JobProgress:
        events = ProgressEvents(Role.TRANSCRIBER, reference.correlation(), self._clock, self._new_id)
        return JobProgress(job, events, topic=self._topics.progress)

    def _encode(self, attempt: Attempt, event: TranscriptEvent) -> OutgoingRecord:
        return wire.encode(
            event,
            topic=self._topics.transcripts,
            key=attempt.job_id,
            trace=attempt.job.trace,
            answers=Answered(attempt.reference.occurred_at, attempt.reference.lane),
        )
