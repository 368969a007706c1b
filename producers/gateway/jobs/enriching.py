"""Further enrichments of finished jobs."""

from dataclasses import dataclass

from producers.gateway.interactive.clients import Clients
from producers.results import EnrichmentResults
from schemas.identity import enrich_digest
from schemas.kafka.enrich_requests import enrich_request
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment, StoredJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Enriching:
    """Requests enrichments, and reads finished ones."""

    clients: Clients
    enrichments: EnrichmentResults

    async def finished(self, job_id: str) -> list[StoredEnrichment]:
        """Return the finished enrichments of a job, oldest first. Raises DependencyDown."""
        found = await self.clients.call(self.enrichments.enrichments_of, job_id)
        return sorted(found, key=lambda stored: stored.event.occurred_at)

    async def request(self, finished: StoredJob, options: EnrichOptions, trace: Trace) -> bool:
        """Request an enrichment unless there is one with equal options; return whether there is one.

        Safe to repeat: equal options have one result. Raises DependencyDown.
        """
        clients, job_id = self.clients, finished.job_id
        found = await clients.call(self.enrichments.find_enrichment, job_id, enrich_digest(options))
        if found is not None:
            return True
        request = enrich_request(finished.event, options, request_id=clients.new_id(), now=clients.clock.now())
        await clients.publish(request, topic=clients.topics.enrich_requests, job_id=job_id, trace=trace)
        return False
