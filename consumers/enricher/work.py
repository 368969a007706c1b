"""The work of the enricher: from a stored transcript to a stored enrichment."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from consumers.enricher.ports import (
    Enrichment,
    EnrichmentObserver,
    EnrichmentStore,
    EnrichRequest,
    LanguageModel,
    TranscriptSource,
)
from consumers.enricher.rewrites import store_rewrites
from consumers.enricher.transcripts import segments_of
from consumers.once import Claim
from consumers.progress import JobProgress, RateLimit
from consumers.runtime.ports import Job
from schemas import identity
from schemas.clock import Clock
from schemas.events import EnrichmentEvent, EnrichmentStatus, Phase, TranscriptEvent
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import span
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.transcripts.subtitles.settings import SubtitleSettings

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at the enrichment of one transcript."""

    job: Job
    event: TranscriptEvent
    options: EnrichOptions
    progress: JobProgress

    @property
    def digest(self) -> str:
        """The identity of the options: with the job's id, that of the enrichment."""
        return identity.enrich_digest(self.options)


class EnrichmentWork:
    """Enriches transcripts. Thread-safe; blocks. ``answer_language`` is for options that name no language."""

    def __init__(
        self,
        transcripts: TranscriptSource,
        results: EnrichmentStore,
        model: LanguageModel,
        *,
        answer_language: str | None,
        subtitles: SubtitleSettings,
        clock: Clock,
        observer: EnrichmentObserver,
    ) -> None:
        self._transcripts = transcripts
        self._results = results
        self._model = model
        self._answer_language = answer_language
        self._subtitles = subtitles
        self._clock = clock
        self._observer = observer

    def run(self, attempt: Attempt, claim: Claim) -> StoredEnrichment:
        """Enrich the transcript of an attempt, and return the stored result. Safe to repeat.

        Raises what the transcripts, the model and the store raise.
        """
        event, options = attempt.event, attempt.options
        began = self._clock.monotonic()
        self._observer.on_begin(queued_seconds=self._queued_seconds(attempt))
        profiles = self._model.profiles_for(options)
        attempt.progress.report(Phase.ENRICHING)
        with span("load transcript", kind=SpanKind.CLIENT):
            transcript = self._transcripts.load(event.transcript_uri)
        loaded = self._clock.monotonic()
        self._observer.on_stage("load", seconds=loaded - began)
        language = options.language or self._answer_language
        request = EnrichRequest(
            job_id=event.job_id,
            segments=segments_of(transcript),
            transcript_language=transcript.language,
            profiles=profiles,
            answer_language=language,
            lane=event.lane,
            tenant=event.tenant,
            attempt=attempt.job.attempt,
            is_retried=lambda error: not attempt.job.is_final(error),
        )
        with span("enrich") as enriching:
            enrichment = self._model.enrich(
                request, cancelled=claim.is_stopped, on_chunk=self._report_chunks(attempt.progress)
            )
            enriching.set({"gen_ai.request.model": enrichment.model})
        answered = self._clock.monotonic()
        self._observer.on_stage("model", seconds=answered - loaded)
        _log_losses(enrichment)
        with span("store result"):
            results = store_rewrites(
                self._results, event, attempt.digest, transcript, enrichment, subtitles=self._subtitles
            )
            enrichment = replace(enrichment, results=results)
            stored = self._store(attempt, enrichment, language=language or transcript.language)
        self._observer.on_stage("store", seconds=self._clock.monotonic() - answered)
        return stored

    def _queued_seconds(self, attempt: Attempt) -> float | None:
        """Return the time since the attempt's record was written; None where the record has no time."""
        written_ms = attempt.job.record.timestamp_ms
        return max(0.0, (self._clock.now_ms() - written_ms) / 1_000) if written_ms > 0 else None

    def _store(self, attempt: Attempt, enrichment: Enrichment, *, language: str | None) -> StoredEnrichment:
        source, digest = attempt.event, attempt.digest
        event = EnrichmentEvent(
            **source.correlation(),
            event_id=f"{source.job_id}.{digest[:16]}.enrichment",
            occurred_at=self._clock.now(),
            transcript_uri=source.transcript_uri,
            language=language,
            model=enrichment.model,
            results=enrichment.results,
            results_uri=self._results.results_uri(source.job_id, digest),
            usage=enrichment.usage,
            total_seconds=enrichment.total_seconds,
        )
        return self._results.create_enrichment(
            StoredEnrichment(
                job_id=source.job_id,
                owner=attempt.job.origin,
                enrich_digest=digest,
                event=event,
                options=attempt.options,
            )
        )

    def _report_chunks(self, progress: JobProgress) -> Callable[[int, int], None]:
        rate_limit = RateLimit(self._clock)

        def report(done: int, total: int) -> None:
            if rate_limit.try_acquire():
                progress.report(Phase.ENRICHING, fraction=done / (total + 1))

        return report


def _log_losses(enrichment: Enrichment) -> None:
    for result in enrichment.results:
        if result.status is EnrichmentStatus.COMPLETED and (result.truncated or result.coverage < 1):
            _log.warning(
                "enrichment misses parts of the transcript",
                profile=result.profile,
                coverage=result.coverage,
                truncated=result.truncated,
            )
