"""The job of one request: upload, publish, wait for the events. The protocol alone, without HTTP.

::

    finished before? ─▶ upload ─▶ publish reference ─▶ wait for events ─▶ answer
            │                                               │  └─ from time to time: finished in the bucket?
            └──────────────────────────────────────────────▶┘
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

import structlog

from producers.finished_jobs import FinishedJobs, is_same_job
from producers.gateway.interactive.answers import GatewayStopping, OnProgress, PendingAnswers, Waiter, ignore
from producers.gateway.interactive.clients import Clients
from producers.gateway.interactive.job_request import (
    AnswerTimeout,
    EnrichmentTimeout,
    JobAnswer,
    JobRequest,
    KeyReused,
    TranscriptTimeout,
)
from producers.uploads import StoredUpload
from schemas.errors import DependencyDown, JobError
from schemas.events import AudioReference, CancellationEvent, TranscriptEvent
from schemas.roles import Role

FIRST_POLL_SECONDS: Final = 1.0
LONGEST_POLL_SECONDS: Final = 15.0
"""Between reads of the bucket, for answers without an event: another record did the job, or the broker added
partitions. Each poll is one small read."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Runs jobs for which a client waits."""

    clients: Clients
    answers: PendingAnswers
    finished: FinishedJobs
    answer_timeout_seconds: float

    async def answer(
        self, request: JobRequest, source: BinaryIO, *, on_progress: OnProgress = ignore
    ) -> JobAnswer:
        """Return the job's answer; ``source`` is closed once it is stored. Cancelling the call cancels the job.

        ``on_progress`` observes the job, if this request is the one that has it done.
        Raises JobFailed, KeyReused, TooManyWaiting, GatewayStopping, TranscriptTimeout, EnrichmentTimeout, and
        DependencyDown when the object store or the broker does not answer.
        """
        with self.answers.waiting_for(request.job_id, request.enrich, on_progress=on_progress) as waiter:
            try:
                async with asyncio.timeout(self.answer_timeout_seconds):
                    return await self._answer(request, source, waiter)
            except TimeoutError as late:
                raise await self._on_timeout(request, waiter) from late
            except GatewayStopping:
                # A client that can name the job may request it again, so the job continues.
                if not request.is_repeatable:
                    await self._cancel(request, waiter)
                raise
            except asyncio.CancelledError:
                await self._cancel(request, waiter)
                raise

    async def _answer(self, request: JobRequest, source: BinaryIO, waiter: Waiter) -> JobAnswer:
        if request.is_repeatable:
            await self._read_finished(request, waiter)
        upload = None
        if waiter.transcript.done():
            sha256 = await self.clients.sha256(source)
            source.close()
        else:
            upload = await self.clients.upload(source, name=request.file_name, content_type=request.content_type)
            sha256 = upload.sha256
            await self._publish(request, upload, waiter)
        polling = asyncio.create_task(self._poll_bucket(request, upload, waiter))
        try:
            return await self._wait(request, sha256, waiter)
        finally:
            polling.cancel()

    async def _wait(self, request: JobRequest, audio_sha256: str, waiter: Waiter) -> JobAnswer:
        transcript = await waiter.transcript
        _refuse_other_job(request, audio_sha256, transcript)
        enrichment = None
        if request.enrich:
            if not waiter.enrichment.done() and not self.answers.is_ours(waiter, transcript):
                await self._request_enrichment(request, transcript, waiter)
            enrichment = await self.clients.call(self.finished.whole, await waiter.enrichment, request.enrich)
        body = None
        if request.needs_body or transcript.text is None:
            body = await self.clients.call(self.finished.body, transcript)
        return JobAnswer(transcript, body.text if body else transcript.text or "", enrichment, body)

    async def _read_finished(self, request: JobRequest, waiter: Waiter) -> None:
        """Resolve the wait with results that are in the bucket already."""
        transcript = await self.clients.call(self.finished.transcript, request.job_id)
        if transcript is None:
            return
        self.answers.resolve(waiter.transcript, transcript)
        if request.enrich:
            enrichment = await self.clients.call(self.finished.enrichment, request.job_id, request.enrich)
            if enrichment is not None:
                self.answers.resolve(waiter.enrichment, enrichment)

    async def _poll_bucket(self, request: JobRequest, upload: StoredUpload | None, waiter: Waiter) -> None:
        """Poll the bucket while the request waits; publish again if another client's cancellation hit our job."""
        pause_seconds = FIRST_POLL_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter.cancelled_elsewhere.wait(), pause_seconds)
            if waiter.cancelled_elsewhere.is_set():
                # Several clients may disconnect at once; a broker that does not answer gets a pause between calls.
                await asyncio.sleep(pause_seconds)
            try:
                await self._read_finished(request, waiter)
                if waiter.cancelled_elsewhere.is_set():
                    await self._publish_again(request, upload, waiter)
                    waiter.cancelled_elsewhere.clear()
            except JobError as error:
                _log.warning("bucket poll failed", job_id=request.job_id, error=error.message)
            pause_seconds = min(2 * pause_seconds, LONGEST_POLL_SECONDS)

    async def _publish_again(self, request: JobRequest, upload: StoredUpload | None, waiter: Waiter) -> None:
        """Request the missing transcript or enrichment again."""
        if waiter.is_transcribed:
            if request.enrich and not waiter.enrichment.done():
                await self._request_enrichment(request, waiter.transcript.result(), waiter)
        elif upload and not waiter.transcript.done():
            await self._publish(request, upload, waiter)

    async def _publish(self, request: JobRequest, upload: StoredUpload, waiter: Waiter) -> None:
        reference = AudioReference(
            event_id=self.clients.new_id(),
            occurred_at=self.clients.clock.now(),
            uri=upload.uri,
            etag=upload.etag,
            version_id=upload.version_id,
            idempotency_key=request.idempotency_key,
            options=request.options,
            enrich=request.enrich,
            lane=request.lane,
            tenant=request.tenant,
            metadata={"name": request.file_name},
        )
        self.answers.add_reference(waiter, reference.event_id)
        topic = self.clients.topics.references
        await self.clients.publish(reference, topic=topic, job_id=request.job_id, trace=request.trace)

    async def _request_enrichment(self, request: JobRequest, transcript: TranscriptEvent, waiter: Waiter) -> None:
        # The enrichment failed before, or depends on the reference of a client that may cancel it. The same event
        # with a reference of ours starts it, or joins the one in progress; it changes nothing else.
        reference_event_id = self.clients.new_id()
        ours = {"reference_event_id": reference_event_id, "reference_occurred_at": self.clients.clock.now()}
        self.answers.add_reference(waiter, reference_event_id)
        again = transcript.model_copy(update={**ours, "shared": False})
        topic = self.clients.topics.transcripts
        await self.clients.publish(again, topic=topic, job_id=request.job_id, trace=request.trace)

    async def _on_timeout(self, request: JobRequest, waiter: Waiter) -> AnswerTimeout:
        """Return the error of a wait that ran out; cancel a job without transcript or client key."""
        seconds = f"{self.answer_timeout_seconds:g} s (KASCRIBE_GATEWAY_ANSWER_TIMEOUT_SECONDS)"
        again = f"the same request with Idempotency-Key {request.idempotency_key} gets the answer once it is there"
        if request.enrich and waiter.is_transcribed:
            cause = waiter.why_late(Role.ENRICHER) or "the language model has not answered"
            return EnrichmentTimeout(
                request,
                f"the transcript is ready, and within {seconds} {cause}; job {request.job_id} goes on: {again}, "
                "and POST /transcribe with that key gets the text now",
            )
        if request.is_repeatable and not self.answers.has_published(waiter):
            return TranscriptTimeout(
                request,
                f"the upload did not end within {seconds}, so nothing was asked for: send the same request again",
            )
        cause = waiter.why_late(Role.TRANSCRIBER) or "no transcript came"
        if request.is_repeatable:
            return TranscriptTimeout(request, f"within {seconds} {cause}; job {request.job_id} goes on: {again}")
        await self._cancel(request, waiter)
        return TranscriptTimeout(
            request,
            f"within {seconds} {cause}; job {request.job_id} was cancelled. With an Idempotency-Key of yours "
            "it would go on, and the same request could fetch its answer",
        )

    async def _cancel(self, request: JobRequest, waiter: Waiter) -> None:
        references = self.answers.references_to_cancel(waiter)
        if not references:
            return
        event = CancellationEvent(
            event_id=self.clients.new_id(),
            occurred_at=self.clients.clock.now(),
            job_id=request.job_id,
            reference_event_ids=references,
        )
        topic = self.clients.topics.cancellations
        publishing = self.clients.publish(event, topic=topic, job_id=request.job_id, trace=request.trace)
        try:
            await asyncio.shield(publishing)
        except DependencyDown as error:
            _log.warning("job not cancelled", job_id=request.job_id, error=error.message)


def _refuse_other_job(request: JobRequest, audio_sha256: str, transcript: TranscriptEvent) -> None:
    enriches_same = request.enrich is None or transcript.enrich == request.enrich
    # Only a key that the client chose can have been used before, for another job.
    is_same = not request.is_repeatable or is_same_job(
        transcript, audio_sha256=audio_sha256, options=request.options
    )
    # The words are the same without the files, but the answer may have to name them.
    has_exports = set(request.options.exports) <= transcript.exports.keys()
    if transcript.tenant != request.tenant or not (enriches_same and is_same and has_exports):
        raise KeyReused
