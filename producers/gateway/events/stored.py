"""What the bucket knows of a job: finished, failed or accepted."""

from dataclasses import dataclass

from producers.gateway.events.state import KnownJob, requests_enrichment
from producers.results import EnrichmentResults, ResultStore
from schemas.identity import enrich_digest
from schemas.results import StoredJob


@dataclass(frozen=True, slots=True)
class StoredJobs:
    """Safe to share between threads. Every method blocks, is safe to repeat, and raises DependencyDown."""

    results: ResultStore
    enrichments: EnrichmentResults

    def known(self, job_id: str) -> KnownJob:
        """Return the objects of a job. One to four small reads; a failed job has one more for each failure."""
        finished = self.results.find_job(job_id)
        if finished is not None:
            return self._finished(finished)
        accepted = self.results.find_accepted(job_id)
        return KnownJob(
            accepted=accepted,
            failures=self.results.failures_of(job_id),
            deleted=None if accepted else self.results.find_deletion(job_id),
        )

    def _finished(self, finished: StoredJob) -> KnownJob:
        event = finished.event
        if event.enrich is None or not requests_enrichment(event):
            return KnownJob(finished=finished)
        enrichment = self.enrichments.find_enrichment(event.job_id, enrich_digest(event.enrich))
        failures = self.results.failures_of(event.job_id) if enrichment is None else ()
        return KnownJob(finished=finished, enrichment=enrichment, failures=failures)
