"""Accepting jobs: what happens between a checked request and its 202.

::

    known key? ─ no ─▶ upload ─▶ store the accepted job ─▶ publish the reference ─▶ 202
        └─ yes ─▶ the same request? ─ yes ─▶ finished? ─ no ──▲
                        └─ no: refused            └─ yes ────────────────────────▶ 202
"""

from dataclasses import dataclass
from typing import BinaryIO

from producers.gateway.interactive.clients import Clients
from producers.gateway.interactive.job_request import KeyReused
from producers.gateway.jobs.submission import (
    JobSubmission,
    NamedObject,
    UploadedFile,
    is_same_as_accepted,
    is_same_as_finished,
)
from producers.result_removal import ResultRemoval
from producers.results import EnrichmentResults, ResultStore
from schemas.errors import JobError
from schemas.events import AudioReference
from schemas.identity import enrich_digest
from schemas.kafka.trace import Trace
from schemas.results import AcceptedJob, StoredJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Accepts jobs."""

    clients: Clients
    results: ResultStore
    enrichments: EnrichmentResults
    removal: ResultRemoval

    async def accept(self, submission: JobSubmission, source: BinaryIO | None) -> None:
        """Accept a job: return once it is stored and the broker has its reference. ``source`` is closed.

        Safe to repeat with the same key. Raises KeyReused, and DependencyDown when the object store or the broker
        does not answer.
        """
        sha256 = await self.clients.sha256(source) if source and submission.is_repeatable else None
        if submission.is_repeatable and await self._is_known(submission, sha256):
            return
        new = await self._store_audio(submission, source)
        accepted = await self.clients.call(self.results.claim_accepted, new)
        if accepted == new:
            await self._publish_new(new, submission)
            return
        # Another request with the same key came first.
        await self.clients.call(self.removal.discard_upload, new)
        if not is_same_as_accepted(submission, new.audio_sha256, accepted):
            raise KeyReused
        await self._publish_again(accepted.reference, accepted, submission)

    async def _is_known(self, submission: JobSubmission, audio_sha256: str | None) -> bool:
        """Return whether the job is accepted or finished; see that it will be done. Raises KeyReused."""
        finished = await self.clients.call(self.results.find_job, submission.job_id)
        accepted = await self.clients.call(self.results.find_accepted, submission.job_id)
        if accepted is not None:
            is_same = is_same_as_accepted(submission, audio_sha256, accepted)
        elif finished is not None:
            is_same = is_same_as_finished(submission, audio_sha256, finished)
        else:
            return False
        if not is_same:
            raise KeyReused
        first = accepted or finished
        reference = first.reference if first else None
        if reference and (finished is None or await self._lacks_enrichment(submission, finished)):
            await self._publish_again(reference, accepted, submission)
        elif reference and finished and submission.webhook_url not in {None, finished.event.webhook_url}:
            # The job stays finished: its transcript's event for this request is all that is missing.
            await self._publish_again(reference, None, submission)
        return True

    async def _lacks_enrichment(self, submission: JobSubmission, finished: StoredJob) -> bool:
        if submission.enrich is None:
            return False
        digest = enrich_digest(submission.enrich)
        return await self.clients.call(self.enrichments.find_enrichment, finished.job_id, digest) is None

    async def _store_audio(self, submission: JobSubmission, source: BinaryIO | None) -> AcceptedJob:
        audio, sha256 = submission.audio, None
        if isinstance(audio, UploadedFile):
            audio, sha256 = await self._upload(audio, source)
        now = self.clients.clock.now()
        reference = submission.reference(audio, event_id=self.clients.new_id(), now=now)
        return AcceptedJob(
            job_id=submission.job_id,
            tenant=submission.tenant,
            accepted_at=now,
            reference=reference,
            audio_sha256=sha256,
        )

    async def _upload(self, file: UploadedFile, source: BinaryIO | None) -> tuple[NamedObject, str]:
        if source is None:
            raise ValueError("an upload needs the file that came with it")
        stored = await self.clients.upload(source, name=file.name, content_type=file.content_type)
        return NamedObject(stored.uri, stored.version_id, stored.etag), stored.sha256

    async def _publish_new(self, accepted: AcceptedJob, submission: JobSubmission) -> None:
        try:
            await self._publish(accepted.reference, submission.trace)
        except JobError:
            # Without a key of its own the client cannot ask for this job again, and does not know its id.
            if not submission.is_repeatable:
                await self.clients.call(self.removal.discard, accepted)
            raise

    async def _publish_again(
        self, reference: AudioReference, accepted: AcceptedJob | None, submission: JobSubmission
    ) -> None:
        # An identity of its own: earlier cancellations and failures are those of earlier references.
        now = self.clients.clock.now()
        own = {"webhook_url": submission.webhook_url or reference.webhook_url}
        again = reference.model_copy(update={"event_id": self.clients.new_id(), "occurred_at": now, **own})
        if accepted is not None:
            renewed = accepted.model_copy(update={"accepted_at": now, "reference": again})
            await self.clients.call(self.results.renew_accepted, renewed)
        await self._publish(again, submission.trace)

    async def _publish(self, reference: AudioReference, trace: Trace) -> None:
        job_id = reference.correlation()["job_id"]
        await self.clients.publish(reference, topic=self.clients.topics.references, job_id=job_id, trace=trace)
