"""The enricher's stage: a transcript event in, an enrichment event out.

::

    read ─▶ anything asked? ─▶ claim ─▶ found? ─▶ wanted? ─▶ load transcript ─▶ ask the model ─▶ create ─▶ events
                  └─ no ─▶ nothing        │          └─ no ─▶ nothing                               │
                                          └─────────────────────────────────────────────────▶ ours? ┘
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.cancellations import Cancellations, TrackedRequest
from consumers.enricher.ports import EnrichmentStore, LanguageModel
from consumers.enricher.transcripts import TranscriptSource
from consumers.failures import is_failure, is_told_already
from consumers.lenient import sound_fields
from consumers.once import InFlight
from consumers.progress import JobProgress, ProgressEvents, RateLimit
from consumers.runtime.stage import CancelledByCaller, Job
from models.vllm.enrichment.run import Enrichment, EnrichRequest
from schemas import identity
from schemas.clock import Clock, SystemClock
from schemas.errors import ConfigurationError, InvalidOptions, JobError
from schemas.events import (
    EnrichmentEvent,
    EnrichmentStatus,
    Failure,
    JobEvent,
    Phase,
    TranscriptEvent,
)
from schemas.inline import inline
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.object_addresses import S3
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.roles import Role
from schemas.settings import VllmSettings
from schemas.transcripts.transcript import Segment, Transcript

_log = structlog.get_logger(__name__)


class EnrichStage:
    """Implements ``consumers.runtime.stage.Stage``. Stateless but for the jobs in flight; safe to repeat."""

    name = Role.ENRICHER

    def __init__(
        self,
        transcripts: TranscriptSource,
        results: EnrichmentStore,
        model: LanguageModel,
        *,
        topics: Topics,
        settings: VllmSettings,
        cancellations: Cancellations | None = None,
        clock: Clock | None = None,
        new_id: Callable[[], str] = identity.random_id,
    ) -> None:
        """Raises ConfigurationError when the settings name a profile that there is not."""
        self._transcripts = transcripts
        self._results = results
        self._model = model
        self._topics = topics
        self._cancellations = cancellations or Cancellations()
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._in_flight = InFlight()
        self._answer_language = settings.answer_language
        self._unasked = EnrichOptions(
            profiles=settings.profiles, instruction=settings.instruction, language=settings.answer_language
        )
        try:
            model.wanted(self._unasked)
        except InvalidOptions as unknown:
            raise ConfigurationError(f"KASCRIBE_VLLM_PROFILES: {unknown}") from unknown

    @property
    def topics(self) -> tuple[str, ...]:
        """Transcripts."""
        return (self._topics.transcripts,)

    @property
    def services(self) -> tuple[str, ...]:
        """The bucket. A language model is asked by requests alone: at its limit it leaves a probe waiting."""
        return (S3,)

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """The enrichment of a transcript; nothing when none is asked for, or another record owns it."""
        with bound_contextvars(trace_id=job.trace.trace_id):
            try:
                return self._read_and_process(job)
            except Exception as error:
                if is_failure(error) and self._is_told_already(job, error):
                    return ()
                raise

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """The FAILED event beside a dead letter, with the job's identity as far as the record tells it."""
        return (self._progress(job, _told(job, now=self._clock.now())).ended(Phase.FAILED, failure=failure),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Whether the bucket answers, or a model server makes tokens."""
        return self._transcripts.is_up() if dependency == S3 else self._model.is_up()

    def _read_and_process(self, job: Job) -> Sequence[OutgoingRecord]:
        event = wire.decode(job.record, TranscriptEvent)
        options = self._options(event)
        if not options.asks_for_anything:
            _log.debug("nothing_asked", job_id=event.job_id)
            return ()
        # Not only while this lasts: the runtime says it too, when it settles what is raised here.
        bind_contextvars(job_id=event.job_id)
        try:
            return self._process(job, event, options)
        except JobError as error:
            self._progress(job, event).report_retry(error)
            raise

    def _options(self, event: TranscriptEvent) -> EnrichOptions:
        return event.enrich if event.enrich is not None else self._unasked

    def _process(self, job: Job, event: TranscriptEvent, options: EnrichOptions) -> Sequence[OutgoingRecord]:
        digest = identity.enrich_digest(options)
        claim = self._in_flight.claim(
            f"{event.job_id}.{digest}",
            job.origin,
            cancelled=job.cancelled,
            withdrawn=self._track(event).is_cancelled,
        )
        with claim as holding:
            # Publish what is finished, cancelled or not: only its owner can, and others may wait for it.
            stored = self._results.find_enrichment(event.job_id, digest)
            stored = stored or holding.unless_withdrawn(partial(self._do, job, event, options, holding.cancelled))
        if stored is None:
            _log.info("job_cancelled", origin=str(job.origin))
            raise CancelledByCaller((self._progress(job, event).ended(Phase.CANCELLED),))
        if stored.owner != job.origin:
            _log.info("enriched_by_another_record", origin=str(job.origin), owner=str(stored.owner))
            return self._pointed_to(job, event, stored)
        _log.info("enriched", results_uri=stored.event.results_uri, seconds=stored.event.total_seconds)
        return (
            wire.encode(inline(stored.event), topic=self._topics.enrichments, key=event.job_id, trace=job.trace),
            self._progress(job, event).ended(Phase.COMPLETED, result_uri=stored.event.results_uri),
        )

    def _pointed_to(self, job: Job, event: TranscriptEvent, stored: StoredEnrichment) -> Sequence[OutgoingRecord]:
        """Where the result of a finished enrichment is, for another reference; nothing for a copy of the same."""
        if event.reference_event_id == stored.event.reference_event_id:
            return ()
        return (self._progress(job, event).ended(Phase.COMPLETED, result_uri=stored.event.results_uri),)

    def _track(self, event: TranscriptEvent) -> TrackedRequest:
        # A transcript that names no reference, or is shared, is later than every reference that requested it.
        alone = None if event.shared else event.reference_event_id
        requested_at = event.reference_occurred_at if alone else None
        return self._cancellations.track(
            event.job_id, requested_at=requested_at or event.occurred_at, event_id=alone
        )

    def _is_told_already(self, job: Job, error: Exception) -> bool:
        try:
            event = wire.decode(job.record, TranscriptEvent)
        except JobError:
            return False  # no two records share an identity that cannot be read
        asked = f"{event.reference_event_id}.{identity.enrich_digest(self._options(event))}"
        return is_told_already(
            job,
            error,
            self._results,
            job_id=event.job_id,
            request=(asked, event.reference_occurred_at or event.occurred_at),
            now=self._clock.now,
        )

    def _do(
        self, job: Job, event: TranscriptEvent, options: EnrichOptions, cancelled: Callable[[], bool]
    ) -> StoredEnrichment:
        profiles = self._model.wanted(options)
        progress = self._progress(job, event)
        progress.report(Phase.ENRICHING)
        transcript = self._transcripts.load(event.transcript_uri)
        language = options.language or self._answer_language
        request = EnrichRequest(
            job_id=event.job_id,
            segments=segments_of(transcript),
            transcript_language=transcript.language,
            profiles=profiles,
            answer_language=language,
            lane=event.lane,
            tenant=event.tenant,
            attempt=job.attempt,
        )
        made = self._model.enrich(request, cancelled=cancelled, on_chunk=self._reporter(progress))
        _tell_losses(made)
        digest = identity.enrich_digest(options)
        enriched = EnrichmentEvent(
            **event.correlation(),
            event_id=f"{event.job_id}.{digest[:16]}.enrichment",
            occurred_at=self._clock.now(),
            transcript_uri=event.transcript_uri,
            language=language or transcript.language,
            model=made.model,
            results=made.results,
            results_uri=self._results.results_uri(event.job_id, digest),
            usage=made.usage,
            total_seconds=made.total_seconds,
        )
        return self._results.create_enrichment(
            StoredEnrichment(job_id=event.job_id, owner=job.origin, enrich_digest=digest, event=enriched)
        )

    def _reporter(self, progress: JobProgress) -> Callable[[int, int], None]:
        rate_limit = RateLimit(self._clock)

        def report(done: int, of_all: int) -> None:
            if rate_limit.try_acquire():
                progress.report(Phase.ENRICHING, fraction=done / (of_all + 1))

        return report

    def _progress(self, job: Job, event: JobEvent) -> JobProgress:
        events = ProgressEvents(Role.ENRICHER, event.correlation(), self._clock, self._new_id)
        return JobProgress(job, events, topic=self._topics.progress)


def _told(job: Job, *, now: datetime) -> JobEvent:
    """Whose job a transcript's record is about, as far as it tells: at the least where it was first read."""
    key = identity.record_key(str(job.origin))
    unknown = {
        "event_id": str(job.origin),
        "occurred_at": now,
        "job_id": identity.job_id(key),
        "idempotency_key": key,
        "reference_event_id": str(job.origin),
    }
    return sound_fields(job.record.value, JobEvent, JobEvent.model_fields, unknown)


def segments_of(transcript: Transcript) -> tuple[Segment, ...]:
    """The segments; one with all the text when a transcript has text without segments."""
    if transcript.segments or not transcript.text.strip():
        return transcript.segments
    seconds = transcript.audio.audio_duration_seconds
    return (Segment(id=0, start=0.0, end=seconds, text=transcript.text),)


def _tell_losses(made: Enrichment) -> None:
    for result in made.results:
        if result.status is EnrichmentStatus.COMPLETED and (result.truncated or result.coverage < 1):
            _log.warning(
                "enriched_from_less", profile=result.profile, coverage=result.coverage, truncated=result.truncated
            )
