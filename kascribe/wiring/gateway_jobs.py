"""The wiring of the routes of jobs."""

from concurrent.futures import Executor
from typing import TYPE_CHECKING

from producers.gateway.archive.deletions import RecentDeletions
from producers.gateway.interactive.clients import Clients
from producers.gateway.jobs.acceptance import Acceptance
from producers.gateway.jobs.ending import Ending
from producers.gateway.jobs.enriching import Enriching
from producers.gateway.jobs.listening import Listening
from producers.gateway.jobs.services import JobServices
from producers.gateway.jobs.source_removal import Sources
from producers.gateway.jobs.transcripts import Representations
from producers.recordings import Recordings
from producers.result_removal import ResultRemoval
from producers.results import EnrichmentResults, ResultStore
from schemas.settings import S3Settings, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def job_services(
    clients: Clients,
    results: ResultStore,
    enrichments: EnrichmentResults,
    deletions: RecentDeletions,
    *,
    s3: S3Settings,
    store: "S3Client",
    listening: Executor,
    settings: Settings,
) -> JobServices:
    """Build the services. ``store`` was opened with the settings ``s3``; ``listening`` reads recordings."""
    removal = ResultRemoval(s3, clock=clients.clock, client=store)
    return JobServices(
        clients=clients,
        acceptance=Acceptance(clients=clients, results=results, enrichments=enrichments, removal=removal),
        ending=Ending(
            clients=clients,
            results=results,
            removal=removal,
            sources=Sources(s3, client=store),
            deletions=deletions,
        ),
        enriching=Enriching(clients=clients, enrichments=enrichments),
        listening=Listening(Recordings(s3, client=store), listening),
        representations=Representations(results, settings.subtitles),
        results=results,
        s3=s3,
        webhooks=settings.webhooks,
    )
