"""The finished parts of jobs: their events may have been published before a command followed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kascribe.sources.arguments import Source
from kascribe.submission.submitter import SubmissionRequest
from producers.finished_jobs import FinishedJobs, is_same_job
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from schemas.errors import ConfigurationError
from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.identity import job_id
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FinalEvent = TranscriptEvent | EnrichmentEvent


@dataclass(frozen=True, slots=True)
class KeyedJob:
    """The one job of a submission with a key that its user chose, which may name another job already."""

    source: Source
    sha256: str | None

    def check(self, event: TranscriptEvent, request: SubmissionRequest) -> None:
        """Check that the transcript is of the source, with the request's options. Raises ConfigurationError."""
        enriches_same = request.enrich is None or event.enrich == request.enrich
        has_exports = set(request.options.exports) <= event.exports.keys()
        if not (enriches_same and has_exports) or not is_same_job(
            event, audio_sha256=self._sha256(event), options=request.options
        ):
            raise ConfigurationError(
                f"--key {request.idempotency_key} names a job of other audio or other options: use another key"
            )

    def _sha256(self, event: TranscriptEvent) -> str:
        if self.source.is_object:
            # The object is not fetched for this: its address identifies it.
            return event.source.sha256 if event.source.uri == self.source.location else ""
        return self.sha256 or ""


class PastResults:
    """Reads the bucket. Every method blocks and raises DependencyDown when the store does not answer."""

    def __init__(
        self,
        settings: S3Settings,
        request: SubmissionRequest,
        *,
        keyed: KeyedJob | None = None,
        client: "S3Client | None" = None,
    ) -> None:
        client = client or create_client(settings)
        results, enrichments = ResultStore(settings, client=client), EnrichmentResults(settings, client=client)
        self._stored = FinishedJobs(results, enrichments)
        self._request = request
        self._keyed = keyed

    def events(self, job: str) -> list[FinalEvent]:
        """Return the final events of a job; none while it is not finished. Raises what ``check`` raises."""
        transcript = self._stored.transcript(job)
        if transcript is None:
            return []
        self.check(transcript)
        events: list[FinalEvent] = [transcript]
        if self._request.enrich:
            enrichment = self._stored.enrichment(job, self._request.enrich)
            events += [enrichment] if enrichment else []
        return events

    def complete_events(self, key: str) -> list[FinalEvent]:
        """Return the events of the job of a key if it is completely finished, otherwise none."""
        events = self.events(job_id(key))
        return events if len(events) == (2 if self._request.enrich else 1) else []

    def check(self, event: TranscriptEvent) -> None:
        """Check that a key that the user chose names the same job. Raises ConfigurationError."""
        if self._keyed:
            self._keyed.check(event, self._request)
