"""The enricher's stage: a transcript event in, an enrichment event out.

::

    read ─▶ anything asked? ─▶ claim ─▶ found? ─▶ wanted? ─▶ load transcript ─▶ ask the model ─▶ create ─▶ events
                  └─ no ─▶ nothing        │          └─ no ─▶ nothing                               │
                                          └─────────────────────────────────────────────────▶ ours? ┘
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.cancellations import Withdrawn
from consumers.in_flight import InFlight
from consumers.progress import Surroundings, real_surroundings
from consumers.runtime.stage import CancelledByCaller, Job
from consumers.transcript_source import TranscriptSource
from models.vllm.enriching import Enrichment, EnrichRequest
from models.vllm.profiles import Profile
from schemas import identity, wire
from schemas.errors import ConfigurationError, InvalidOptions, KascribeError
from schemas.events import (
    INLINE_TEXT_BYTES,
    EnrichmentEvent,
    EnrichmentStatus,
    Failure,
    Phase,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.object_addresses import S3
from schemas.options import EnrichOptions
from schemas.records import OutgoingRecord
from schemas.results import StoredEnrichment
from schemas.settings import VllmSettings
from schemas.topics import Topics
from schemas.transcript import Segment, Transcript

STAGE_NAME: Final = "enricher"
REPORT_INTERVAL_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class LanguageModel(Protocol):
    """The enricher as the stage needs it. Called from many threads at once."""

    def wanted(self, options: EnrichOptions) -> tuple[Profile, ...]:
        """The profiles that options name. Raises InvalidOptions."""
        ...

    def enrich(
        self,
        request: EnrichRequest,
        *,
        cancelled: Callable[[], bool],
        on_chunk: Callable[[int, int], None],
    ) -> Enrichment:
        """The results. Blocks. Raises EnrichmentInvalid, EnrichmentFailed, DependencyDown, JobCancelled."""
        ...

    def is_up(self) -> bool:
        """Whether a server makes tokens. Blocks for a second at most."""
        ...


class EnrichmentStore(Protocol):
    """Where finished enrichments are kept. Methods block, are safe to repeat, and raise DependencyDown."""

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """The finished enrichment, if there is one."""
        ...

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Stores it unless somebody did; the one that is stored."""
        ...

    def results_uri(self, job_id: str, enrich_digest: str) -> str:
        """Where it is, once it is stored."""
        ...


class EnrichStage:
    """Implements ``consumers.runtime.stage.Stage``. Stateless but for the jobs in flight; safe to repeat."""

    name = STAGE_NAME

    def __init__(
        self,
        transcripts: TranscriptSource,
        results: EnrichmentStore,
        model: LanguageModel,
        *,
        topics: Topics,
        settings: VllmSettings,
        withdrawn: Withdrawn | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Raises ConfigurationError when the settings name a profile that there is not."""
        self._transcripts = transcripts
        self._results = results
        self._model = model
        self._topics = topics
        self._withdrawn = withdrawn or Withdrawn()
        self._surroundings = surroundings or real_surroundings()
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

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """The enrichment of a transcript; nothing when none is asked for, or another record owns it, or all who
        asked have withdrawn."""
        with bound_contextvars(trace_id=job.trace.trace_id):
            event = wire.decode(job.record, TranscriptEvent)
            options = event.enrich if event.enrich is not None else self._unasked
            if not options.asks_for_anything:
                _log.debug("nothing_asked", job_id=event.job_id)
                return ()
            # Not only while this lasts: the runtime says it too, when it settles what is raised here.
            bind_contextvars(job_id=event.job_id)
            return self._process(job, event, options)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """The FAILED event beside a dead letter, when the record says which job it is about."""
        try:
            event = wire.decode(job.record, TranscriptEvent)
        except KascribeError:
            return ()
        return (self._progress(job, event, Phase.FAILED, failure=failure),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Whether the bucket answers, or a model server makes tokens."""
        return self._transcripts.is_up() if dependency == S3 else self._model.is_up()

    def _process(self, job: Job, event: TranscriptEvent, options: EnrichOptions) -> Sequence[OutgoingRecord]:
        digest = identity.enrich_digest(options)
        claim = self._in_flight.claim(
            f"{event.job_id}.{digest}", job.origin, cancelled=job.cancelled, withdrawn=self._withdrawal_of(event)
        )
        with claim as holding:
            # What is finished is published whoever withdrew it: the owner alone can, and others may wait for it.
            stored = self._results.find_enrichment(event.job_id, digest)
            stored = stored or holding.unless_withdrawn(partial(self._do, job, event, options, holding.cancelled))
        if stored is None:
            _log.info("job_withdrawn", origin=str(job.origin))
            raise CancelledByCaller
        if stored.owner != job.origin:
            _log.info("enriched_by_another_record", origin=str(job.origin), owner=str(stored.owner))
            return ()
        _log.info("enriched", results_uri=stored.event.results_uri, seconds=stored.event.total_seconds)
        return (
            wire.encode(_small(stored.event), topic=self._topics.enrichments, key=event.job_id, trace=job.trace),
            self._progress(job, event, Phase.COMPLETED, fraction=1.0),
        )

    def _withdrawal_of(self, event: TranscriptEvent) -> Callable[[], bool]:
        # A transcript is younger than every reference that asked for it, should the event name none.
        asked_at = event.reference_occurred_at or event.occurred_at
        return partial(
            self._withdrawn.includes, event.job_id, asked_at=asked_at, event_id=event.reference_event_id
        )

    def _do(
        self, job: Job, event: TranscriptEvent, options: EnrichOptions, cancelled: Callable[[], bool]
    ) -> StoredEnrichment:
        profiles = self._model.wanted(options)
        job.report(self._progress(job, event, Phase.ENRICHING))
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
        made = self._model.enrich(request, cancelled=cancelled, on_chunk=self._reporter(job, event))
        _tell_losses(made)
        digest = identity.enrich_digest(options)
        enriched = EnrichmentEvent(
            event_id=f"{event.job_id}.{digest[:16]}.enrichment",
            occurred_at=self._surroundings.now(),
            job_id=event.job_id,
            tenant=event.tenant,
            lane=event.lane,
            metadata=event.metadata,
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

    def _reporter(self, job: Job, event: TranscriptEvent) -> Callable[[int, int], None]:
        next_report = self._surroundings.clock()

        def report(done: int, of_all: int) -> None:
            nonlocal next_report
            now = self._surroundings.clock()
            if now >= next_report:
                next_report = now + REPORT_INTERVAL_SECONDS
                job.report(self._progress(job, event, Phase.ENRICHING, fraction=done / (of_all + 1)))

        return report

    def _progress(
        self,
        job: Job,
        event: TranscriptEvent,
        phase: Phase,
        *,
        fraction: float | None = None,
        failure: Failure | None = None,
    ) -> OutgoingRecord:
        ended = phase in (Phase.COMPLETED, Phase.FAILED)
        progress = ProgressEvent(
            event_id=f"{event.job_id}.{STAGE_NAME}.{phase.value}" if ended else self._surroundings.new_id(),
            occurred_at=self._surroundings.now(),
            job_id=event.job_id,
            tenant=event.tenant,
            lane=event.lane,
            metadata=event.metadata,
            phase=phase,
            stage=STAGE_NAME,
            fraction=fraction,
            failure=failure,
        )
        return wire.encode(progress, topic=self._topics.progress, key=event.job_id, trace=job.trace)


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


def _small(event: EnrichmentEvent) -> EnrichmentEvent:
    """The event as it travels: without the outputs when they are large, which ``results_uri`` has."""
    if len(event.model_dump_json().encode()) <= INLINE_TEXT_BYTES:
        return event
    return event.model_copy(
        update={"results": tuple(r.model_copy(update={"output": None, "citations": ()}) for r in event.results)}
    )
