"""Finished answers in the bucket: of jobs that ended before they were asked for, and what events cannot carry."""

from dataclasses import dataclass

from producers.map_results import EnrichmentResults
from producers.results import ResultStore
from schemas.errors import DependencyDown
from schemas.events import EnrichmentEvent, EnrichmentStatus, TranscriptEvent
from schemas.identity import enrich_digest
from schemas.object_addresses import S3
from schemas.options import EnrichOptions


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """Safe to share between threads. Every method blocks, is safe to repeat, and raises DependencyDown."""

    results: ResultStore
    enrichments: EnrichmentResults

    def transcript(self, job_id: str) -> TranscriptEvent | None:
        """The event of a finished job."""
        job = self.results.find_job(job_id)
        return job.event if job else None

    def enrichment(self, job_id: str, options: EnrichOptions) -> EnrichmentEvent | None:
        """The event of a finished enrichment, with all its outputs."""
        stored = self.enrichments.find_enrichment(job_id, enrich_digest(options))
        return stored.event if stored else None

    def text(self, event: TranscriptEvent) -> str:
        """The whole text of a transcript that is too long for its event."""
        job = self.results.find_job(event.job_id)
        transcript = self.results.find_transcript(job.content_key) if job else None
        if transcript is None:
            raise DependencyDown(S3, f"{event.transcript_uri} was there and cannot be read any more")
        return transcript.text

    def whole(self, event: EnrichmentEvent, options: EnrichOptions) -> EnrichmentEvent:
        """The event with its outputs, which are in the bucket alone when they are too large to travel."""
        if not any(
            result.status is EnrichmentStatus.COMPLETED and result.output is None for result in event.results
        ):
            return event
        stored = self.enrichment(event.job_id, options)
        if stored is None:
            raise DependencyDown(S3, f"{event.results_uri} was there and cannot be read any more")
        return stored
