"""Finished jobs in the bucket: their events, outputs too large for events, and a comparison with a request."""

from dataclasses import dataclass

from producers.results import EnrichmentResults, ResultStore
from schemas.errors import DependencyDown
from schemas.events import EnrichmentEvent, EnrichmentStatus, TranscriptEvent
from schemas.identity import content_key, enrich_digest
from schemas.object_addresses import S3
from schemas.options import EnrichOptions, TranscribeOptions
from schemas.results import ResultKeys
from schemas.transcripts.transcript import Transcript


@dataclass(frozen=True, slots=True)
class FinishedJobs:
    """Safe to share between threads. Every method blocks, is safe to repeat, and raises DependencyDown."""

    results: ResultStore
    enrichments: EnrichmentResults

    def transcript(self, job_id: str) -> TranscriptEvent | None:
        """Return the event of a finished job."""
        job = self.results.find_job(job_id)
        return job.event if job else None

    def enrichment(self, job_id: str, options: EnrichOptions) -> EnrichmentEvent | None:
        """Return the event of a finished enrichment, with all its outputs."""
        stored = self.enrichments.find_enrichment(job_id, enrich_digest(options))
        return stored.event if stored else None

    def body(self, event: TranscriptEvent) -> Transcript:
        """Return the whole transcript of an event, which has a small part of it."""
        transcript = self.results.find_job_transcript(event.job_id)
        if transcript is None:
            raise DependencyDown(S3, f"{event.transcript_uri} was there and cannot be read any more")
        return transcript

    def whole(self, event: EnrichmentEvent, options: EnrichOptions) -> EnrichmentEvent:
        """Return the event with all outputs; those too large for an event are read from the bucket."""
        if not any(
            result.status is EnrichmentStatus.COMPLETED and result.output is None for result in event.results
        ):
            return event
        stored = self.enrichment(event.job_id, options)
        if stored is None:
            raise DependencyDown(S3, f"{event.results_uri} was there and cannot be read any more")
        return stored


def is_same_job(event: TranscriptEvent, *, audio_sha256: str, options: TranscribeOptions) -> bool:
    """Return whether a transcript is of this audio, with these options: a reused key may name another job.

    The model's name in the request is ignored; only the digest of its files counts.
    """
    content = content_key(
        audio_sha256=audio_sha256,
        options=options.model_copy(update={"model": None}),
        model_sha256=event.provenance.model_sha256,
    )
    # A transcript is stored under its content key, also when another job had made it before.
    return event.transcript_uri.endswith(f"/{ResultKeys('').transcript(content)}")
