"""The enricher's stage: a transcript event in, an enrichment event out.

::

    read ─▶ requested? ─▶ claim ─▶ found? ─▶ cancelled? ─▶ enrich and store ─▶ owner? ─▶ events
                └─ no ─▶ nothing     │           └─ yes ─▶ CANCELLED             ▲
                                     └───────────────────────────────────────────┘
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.cancellations import Cancellations
from consumers.enricher.ports import (
    EnrichmentObserver,
    EnrichmentStore,
    LanguageModel,
    TranscriptSource,
    UnobservedEnrichments,
)
from consumers.enricher.work import Attempt, EnrichmentWork
from consumers.failures import FailureClaims, RequestIdentity
from consumers.lenient import decode_leniently
from consumers.once import OncePerJob, Requester, Steps
from consumers.progress import JobProgress, ProgressEvents, note_job
from consumers.runtime.ports import Job
from schemas import identity
from schemas.clock import Clock, SystemClock
from schemas.errors import ConfigurationError, InvalidOptions, JobError
from schemas.events import EnrichmentEvent, Failure, JobEvent, Phase, TranscriptEvent
from schemas.kafka import wire
from schemas.kafka.large_outputs import omit_large_outputs
from schemas.kafka.records import Answered, OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.monitoring.tracing import discard
from schemas.object_addresses import S3
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.roles import Role
from schemas.settings import VllmSettings
from schemas.transcripts.subtitles.settings import SubtitleSettings

_log: Final = structlog.get_logger(__name__)


class EnrichStage:
    """Implements ``consumers.runtime.ports.Stage``. Stateless but for its claims; safe to repeat."""

    name = Role.ENRICHER

    def __init__(
        self,
        transcripts: TranscriptSource,
        results: EnrichmentStore,
        model: LanguageModel,
        *,
        topics: Topics,
        settings: VllmSettings,
        subtitles: SubtitleSettings | None = None,
        cancellations: Cancellations | None = None,
        clock: Clock | None = None,
        new_id: Callable[[], str] = identity.random_id,
        observer: EnrichmentObserver | None = None,
    ) -> None:
        """Raise ConfigurationError when the settings name an unknown profile."""
        self._transcripts = transcripts
        self._results = results
        self._model = model
        self._topics = topics
        self._cancellations = cancellations or Cancellations()
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._work = EnrichmentWork(
            transcripts,
            results,
            model,
            answer_language=settings.answer_language,
            subtitles=subtitles or SubtitleSettings(),
            clock=self._clock,
            observer=observer or UnobservedEnrichments(),
        )
        self._once = OncePerJob()
        self._failures = FailureClaims(results, clock=self._clock)
        self._default_options = EnrichOptions(
            profiles=settings.profiles, instruction=settings.instruction, language=settings.answer_language
        )
        try:
            model.profiles_for(self._default_options)
        except InvalidOptions as error:
            raise ConfigurationError(f"KASCRIBE_VLLM_PROFILES: {error}") from error

    @property
    def topics(self) -> tuple[str, ...]:
        """Transcripts, and requests to enrich a finished one with further options."""
        return (self._topics.transcripts, self._topics.enrich_requests)

    @property
    def retried_topics(self) -> tuple[str, ...]:
        """All of them."""
        return self.topics

    @property
    def services(self) -> tuple[str, ...]:
        """The bucket. The language model is probed by its requests alone: at its limit, a probe would wait."""
        return (S3,)

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Return the events of a transcript's enrichment; none when none is requested. See ``Stage.process``.

        Of the records with one identity the owner publishes the enrichment. Any other reference gets COMPLETED
        with the result's address; any other copy of the same completes without output.
        """
        with bound_contextvars(trace_id=job.trace.trace_id):
            return self._failures.run(job, self._process, identify=self._identify)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Return the FAILED event for a dead letter, with as much of the job's identity as the record has."""
        event = _best_guess(job, now=self._clock.now())
        return (self._progress(job, event).end_record(Phase.FAILED, failure=failure),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Return whether the bucket answers and takes results, or a model server generates tokens."""
        if dependency != S3:
            return self._model.is_up()
        return self._transcripts.is_up() and self._results.is_writable()

    def _process(self, job: Job) -> Sequence[OutgoingRecord]:
        event = wire.decode(job.record, TranscriptEvent)
        options = self._options(event)
        if not options.has_work:
            _log.debug("no enrichment requested", job_id=event.job_id)
            discard()
            return ()
        # Stays bound: the runtime logs it too when it settles an error raised here.
        bind_contextvars(job_id=event.job_id)
        note_job(event.job_id, tenant=event.tenant, lane=event.lane)
        attempt = Attempt(job, event, options, self._progress(job, event))
        try:
            key = f"{event.job_id}.{attempt.digest}"
            return self._once.run(key, self._requester(attempt), self._steps(attempt))
        except JobError as error:
            attempt.progress.report_retry(error)
            raise

    def _options(self, event: TranscriptEvent) -> EnrichOptions:
        return event.enrich if event.enrich is not None else self._default_options

    def _requester(self, attempt: Attempt) -> Requester:
        event = attempt.event
        # A transcript that names no reference, or is shared, is later than every reference that requested it.
        event_id = None if event.shared else event.reference_event_id
        requested_at = event.reference_occurred_at if event_id else None
        request = self._cancellations.track(
            event.job_id, requested_at=requested_at or event.occurred_at, event_id=event_id
        )
        return Requester(attempt.job.origin, attempt.job.cancelled, request.is_cancelled)

    def _steps(self, attempt: Attempt) -> Steps[StoredEnrichment]:
        return Steps(
            find=partial(self._results.find_enrichment, attempt.event.job_id, attempt.digest),
            do=partial(self._work.run, attempt),
            on_completed=partial(self._on_completed, attempt),
            on_completed_by_another=partial(self._on_completed_by_another, attempt),
            on_cancelled=partial(self._on_cancelled, attempt),
        )

    def _on_completed(self, attempt: Attempt, stored: StoredEnrichment) -> Sequence[OutgoingRecord]:
        event = stored.event
        _log.info("job completed", results_uri=event.results_uri, seconds=event.total_seconds)
        return (
            self._encode(attempt, event),
            attempt.progress.end_record(Phase.COMPLETED, result_uri=event.results_uri),
        )

    def _on_completed_by_another(self, attempt: Attempt, stored: StoredEnrichment) -> Sequence[OutgoingRecord]:
        """Return the result's address for another reference; nothing for a copy of the same."""
        _log.info("job completed by another record", origin=str(attempt.job.origin), owner=str(stored.owner))
        if attempt.event.reference_event_id == stored.event.reference_event_id:
            return ()
        completed = attempt.progress.end_record(Phase.COMPLETED, result_uri=stored.event.results_uri)
        own_event = enrichment_for(attempt.event, stored.event)
        return (completed,) if own_event is None else (self._encode(attempt, own_event), completed)

    def _encode(self, attempt: Attempt, event: EnrichmentEvent) -> OutgoingRecord:
        small = omit_large_outputs(event)
        requested_at = attempt.event.reference_occurred_at
        return wire.encode(
            small,
            topic=self._topics.enrichments,
            key=event.job_id,
            trace=attempt.job.trace,
            answers=Answered(requested_at, attempt.event.lane) if requested_at else None,
        )

    def _on_cancelled(self, attempt: Attempt) -> Sequence[OutgoingRecord]:
        _log.info("job cancelled", origin=str(attempt.job.origin))
        return (attempt.progress.end_record(Phase.CANCELLED),)

    def _identify(self, job: Job) -> RequestIdentity | None:
        try:
            event = wire.decode(job.record, TranscriptEvent)
        except JobError:
            return None
        event_id = f"{event.reference_event_id}.{identity.enrich_digest(self._options(event))}"
        return RequestIdentity(
            event.job_id, event_id, event.reference_occurred_at or event.occurred_at, event.tenant
        )

    def _progress(self, job: Job, event: JobEvent) -> JobProgress:
        events = ProgressEvents(Role.ENRICHER, event.correlation(), self._clock, self._new_id)
        return JobProgress(job, events, topic=self._topics.progress)


def enrichment_for(requested: TranscriptEvent, event: EnrichmentEvent) -> EnrichmentEvent | None:
    """Return a finished enrichment's event for another reference; None unless that one has another webhook."""
    if requested.webhook_url == event.webhook_url:
        return None
    digest = identity.request_digest(requested.reference_event_id or "", "enrichment")
    own = {"event_id": f"{event.event_id}.{digest}"}
    return event.model_copy(update={**requested.correlation(), **own})


def _best_guess(job: Job, *, now: datetime) -> JobEvent:
    """Return as much of the job's identity as can be decoded, completed from the record's coordinates."""
    key = identity.record_key(str(job.origin))
    unknown = {
        "event_id": str(job.origin),
        "occurred_at": now,
        "job_id": identity.job_id(key),
        "idempotency_key": key,
        "reference_event_id": str(job.origin),
    }
    return decode_leniently(job.record.value, JobEvent, JobEvent.model_fields, unknown)
