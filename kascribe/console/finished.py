"""The finished parts of a job with a key: its events may have been published before the command followed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from kascribe.console.board import Board
from kascribe.submission import S3_SCHEME, Source, SubmissionRequest
from producers.finished_jobs import FinishedJobs, is_same_job
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from schemas.errors import ConfigurationError
from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.identity import job_id
from schemas.settings import S3Settings


class FinishedJob:
    """Reads the bucket. Every method blocks and raises DependencyDown when the store does not answer.

    Raises ConfigurationError for a job of another source or of other options than the request's.
    """

    def __init__(self, settings: S3Settings, request: SubmissionRequest, source: Source) -> None:
        client = create_client(settings)
        results, enrichments = ResultStore(settings, client=client), EnrichmentResults(settings, client=client)
        self._stored = FinishedJobs(results, enrichments)
        self._request = request
        self._source = source

    def events(self, job: str) -> Iterator[TranscriptEvent | EnrichmentEvent]:
        """Yield the final events of a job; none while it is not finished."""
        transcript = self._stored.transcript(job)
        if transcript is None:
            return
        self.check(transcript)
        yield transcript
        if self._request.enrich:
            enrichment = self._stored.enrichment(job, self._request.enrich)
            if enrichment is not None:
                yield enrichment

    def show_on(self, board: Board) -> bool:
        """Show the job of the request's key if it is completely finished; return whether it is."""
        job = job_id(self._request.idempotency_key or "")
        events = list(self.events(job))
        if len(events) < (2 if self._request.enrich else 1):
            return False
        board.announce(f"{self._source.name}: job {job} is finished already")
        board.start()
        for event in events:
            board.show(event)
        board.stop()
        return True

    def check(self, event: TranscriptEvent) -> None:
        """Check that the transcript is of the source, with the request's options. Raises ConfigurationError."""
        enriches_same = self._request.enrich is None or event.enrich == self._request.enrich
        has_exports = set(self._request.options.exports) <= event.exports.keys()
        if not (enriches_same and has_exports) or not is_same_job(
            event, audio_sha256=self._sha256(event), options=self._request.options
        ):
            raise ConfigurationError(
                f"--key {self._request.idempotency_key} names a job of other audio or other options: use another "
                "key"
            )

    def _sha256(self, event: TranscriptEvent) -> str:
        if self._source.location.startswith(S3_SCHEME):
            # The object is not fetched for this: its address identifies it.
            return event.source.sha256 if event.source.uri == self._source.location else ""
        with Path(self._source.location).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
