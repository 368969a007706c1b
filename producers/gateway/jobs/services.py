"""What the routes of jobs need."""

from dataclasses import dataclass
from http import HTTPStatus

from producers.gateway.events.state import JobState
from producers.gateway.failures import RequestRefused
from producers.gateway.interactive.clients import Clients
from producers.gateway.jobs.acceptance import Acceptance
from producers.gateway.jobs.ending import Ending
from producers.gateway.jobs.enriching import Enriching
from producers.gateway.jobs.listening import Listening
from producers.gateway.jobs.transcripts import Rendered, Representations, TranscriptFormat
from producers.results import ResultStore
from schemas.results import StoredJob
from schemas.settings import S3Settings
from schemas.settings.webhooks import WebhooksSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class JobServices:
    """The services of the routes."""

    clients: Clients
    acceptance: Acceptance
    ending: Ending
    enriching: Enriching
    listening: Listening
    representations: Representations
    results: ResultStore
    s3: S3Settings
    webhooks: WebhooksSettings

    async def finished(self, state: JobState) -> StoredJob:
        """Return the stored result of a transcribed job. Raises RequestRefused if it was deleted just now."""
        found = await self.clients.call(self.results.find_job, state.job_id)
        if found is None:
            raise RequestRefused(HTTPStatus.NOT_FOUND, "job_not_found", f"there is no job {state.job_id}")
        return found

    async def rendered(self, finished: StoredJob, wanted: TranscriptFormat) -> Rendered:
        """Return the transcript in a format. Raises what ``Representations.render`` raises."""
        return await self.clients.call(self.representations.render, finished, wanted)
