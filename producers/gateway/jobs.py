"""One request's job: upload, publish, wait for the event. No HTTP here, so it reads as the protocol it is.

::

    finished before? ─▶ upload ─▶ publish reference ─▶ wait for events ─▶ answer
            │                                               │  └─ now and then: finished meanwhile?
            └──────────────────────────────────────────────▶┘
"""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import BinaryIO, ClassVar, Final, TypeVar

import structlog

from producers.finished_jobs import FinishedJobs, is_same_job
from producers.gateway.answers import Answers, Stopping, Waiting
from producers.gateway.ports import RecordPublisher, UploadStore
from producers.uploads import StoredUpload
from schemas import identity
from schemas.errors import DependencyDown, JobError
from schemas.events import AudioReference, CancellationEvent, EnrichmentEvent, TranscriptEvent
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.options import EnrichOptions, Lane, TranscribeOptions
from schemas.roles import Role

FIRST_LOOK_SECONDS: Final = 1.0
LONGEST_LOOK_SECONDS: Final = 15.0
"""Between looks into the bucket, for answers whose event never comes: another record did the job, or the broker
added partitions. Each look is one small read."""

HASHED_BYTES: Final = 1024**2
"""Read at a time."""

Result = TypeVar("Result")
_log: Final = structlog.get_logger(__name__)


class KeyReused(Exception):
    """The idempotency key names a job of another tenant, of other audio or of other options."""


class TooLate(Exception):
    """The answer did not come in time."""

    reason: ClassVar[str]

    def __init__(self, asked: "Asked", message: str) -> None:
        super().__init__(message)
        self.message = message
        self.job_id = asked.job_id
        self.idempotency_key = asked.idempotency_key


class TranscriptLate(TooLate):
    """There is no transcript yet."""

    reason = "answer_timeout"


class EnrichmentLate(TooLate):
    """The transcript is there; its enrichment goes on."""

    reason = "enrichment_timeout"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request asks for. ``repeatable``: the caller chose the key, and may ask with it again."""

    file_name: str
    content_type: str | None
    idempotency_key: str
    repeatable: bool
    options: TranscribeOptions
    enrich: EnrichOptions | None
    tenant: str
    trace: Trace

    @property
    def job_id(self) -> str:
        """The job that the key names."""
        return identity.job_id(self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request waited for; ``text`` is whole, whatever its length."""

    transcript: TranscriptEvent
    text: str
    enrichment: EnrichmentEvent | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """Runs jobs on the interactive lane. ``uploading`` takes calls that last, ``calling`` those that do not."""

    uploads: UploadStore
    publisher: RecordPublisher
    answers: Answers
    stored: FinishedJobs
    topics: Topics
    uploading: Executor
    calling: Executor
    answer_timeout_seconds: float
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def answer(self, asked: Asked, source: BinaryIO) -> Answer:
        """The job's answer; ``source`` is closed once it is stored. Whoever cancels the call withdraws the job.

        Raises JobFailed, KeyReused, Crowded, Stopping, TranscriptLate, EnrichmentLate, and DependencyDown when the
        object store or the broker does not answer.
        """
        with self.answers.expected(asked.job_id) as waiting:
            try:
                async with asyncio.timeout(self.answer_timeout_seconds):
                    return await self._answer(asked, source, waiting)
            except TimeoutError as late:
                raise await self._late(asked, waiting) from late
            except Stopping:
                # Who can name the job may ask for it again, so for them it goes on.
                if not asked.repeatable:
                    await self._withdraw(asked, waiting)
                raise
            except asyncio.CancelledError:
                await self._withdraw(asked, waiting)
                raise

    async def _answer(self, asked: Asked, source: BinaryIO, waiting: Waiting) -> Answer:
        if asked.repeatable:
            await self._recall(asked, waiting)
        upload = None
        if waiting.transcript.done():
            sha256 = await self._hashed(source)
        else:
            upload = await self._uploaded(asked, source)
            sha256 = upload.sha256
            await self._publish(asked, upload, waiting)
        looking = asyncio.create_task(self._look_again(asked, upload, waiting))
        try:
            return await self._awaited(asked, sha256, waiting)
        finally:
            looking.cancel()

    async def _awaited(self, asked: Asked, audio_sha256: str, waiting: Waiting) -> Answer:
        transcript = await waiting.transcript
        _refuse_another(asked, audio_sha256, transcript)
        enrichment = None
        if asked.enrich:
            if not waiting.enrichment.done() and not self.answers.is_ours(waiting, transcript):
                await self._ask_enricher(asked, transcript, waiting)
            enrichment = await self._call(self.stored.whole, await waiting.enrichment, asked.enrich)
        text = transcript.text
        if text is None:
            text = await self._call(self.stored.text, transcript)
        return Answer(transcript, text, enrichment)

    async def _recall(self, asked: Asked, waiting: Waiting) -> None:
        """Gives the request what is finished already."""
        transcript = await self._call(self.stored.transcript, asked.job_id)
        if transcript is None:
            return
        self.answers.give(waiting.transcript, transcript)
        if asked.enrich:
            enrichment = await self._call(self.stored.enrichment, asked.job_id, asked.enrich)
            if enrichment is not None:
                self.answers.give(waiting.enrichment, enrichment)

    async def _look_again(self, asked: Asked, upload: StoredUpload | None, waiting: Waiting) -> None:
        """For as long as the request waits: what is finished, and whether another's cancellation hit our job."""
        pause_seconds = FIRST_LOOK_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(waiting.withdrawn.wait(), pause_seconds)
            if waiting.withdrawn.is_set():
                # Several may leave at once; and a broker that does not answer is not asked without a pause.
                await asyncio.sleep(pause_seconds)
            try:
                await self._recall(asked, waiting)
                if waiting.withdrawn.is_set():
                    await self._ask_again(asked, upload, waiting)
                    waiting.withdrawn.clear()
            except JobError as error:
                _log.warning("answer_not_looked_up", job_id=asked.job_id, why=error.message)
            pause_seconds = min(2 * pause_seconds, LONGEST_LOOK_SECONDS)

    async def _ask_again(self, asked: Asked, upload: StoredUpload | None, waiting: Waiting) -> None:
        """Asks for what is not there yet."""
        if waiting.is_transcribed:
            if asked.enrich and not waiting.enrichment.done():
                await self._ask_enricher(asked, waiting.transcript.result(), waiting)
        elif upload and not waiting.transcript.done():
            await self._publish(asked, upload, waiting)

    async def _uploaded(self, asked: Asked, source: BinaryIO) -> StoredUpload:
        upload = partial(self.uploads.upload, source, name=asked.file_name, content_type=asked.content_type)
        stored = await asyncio.get_running_loop().run_in_executor(self.uploading, upload)
        # The wait may be long: what was spooled is not held until its end.
        source.close()
        return stored

    async def _hashed(self, source: BinaryIO) -> str:
        digest = await asyncio.get_running_loop().run_in_executor(self.uploading, _sha256, source)
        source.close()
        return digest

    async def _publish(self, asked: Asked, upload: StoredUpload, waiting: Waiting) -> None:
        reference = AudioReference(
            event_id=self.new_id(),
            occurred_at=self.now(),
            uri=upload.uri,
            etag=upload.etag,
            version_id=upload.version_id,
            idempotency_key=asked.idempotency_key,
            options=asked.options,
            enrich=asked.enrich,
            lane=Lane.INTERACTIVE,
            tenant=asked.tenant,
            metadata={"name": asked.file_name},
        )
        self.answers.publishing(waiting, reference.event_id)
        record = encode(reference, topic=self.topics.references, key=asked.job_id, trace=asked.trace)
        await self._call(self.publisher.publish, [record])

    async def _ask_enricher(self, asked: Asked, transcript: TranscriptEvent, waiting: Waiting) -> None:
        # The enrichment failed before, or rests on the reference of somebody who may withdraw it. The same event
        # again with a reference of ours starts it, or joins what is under way; it changes nothing else.
        reference_event_id = self.new_id()
        ours = {"reference_event_id": reference_event_id, "reference_occurred_at": self.now()}
        self.answers.publishing(waiting, reference_event_id)
        again = transcript.model_copy(update={**ours, "shared": False})
        record = encode(again, topic=self.topics.transcripts, key=asked.job_id, trace=asked.trace)
        await self._call(self.publisher.publish, [record])

    async def _late(self, asked: Asked, waiting: Waiting) -> TooLate:
        """What to say when the time is up. A job without transcript is withdrawn unless its caller has its key."""
        seconds = f"{self.answer_timeout_seconds:g} s (KASCRIBE_GATEWAY_ANSWER_TIMEOUT_SECONDS)"
        again = f"the same request with Idempotency-Key {asked.idempotency_key} gets the answer once it is there"
        if asked.enrich and waiting.is_transcribed:
            trouble = waiting.why_late(Role.ENRICHER) or "the language model has not answered"
            return EnrichmentLate(
                asked,
                f"the transcript is ready, and within {seconds} {trouble}; job {asked.job_id} goes on: {again}, "
                "and POST /transcribe with that key gets the text now",
            )
        if asked.repeatable and not self.answers.has_published(waiting):
            return TranscriptLate(
                asked,
                f"the upload did not end within {seconds}, so nothing was asked for: send the same request again",
            )
        trouble = waiting.why_late(Role.TRANSCRIBER) or "no transcript came"
        if asked.repeatable:
            return TranscriptLate(asked, f"within {seconds} {trouble}; job {asked.job_id} goes on: {again}")
        await self._withdraw(asked, waiting)
        return TranscriptLate(
            asked,
            f"within {seconds} {trouble}; job {asked.job_id} was withdrawn. With an Idempotency-Key of yours "
            "it would go on, and the same request could fetch its answer",
        )

    async def _withdraw(self, asked: Asked, waiting: Waiting) -> None:
        references = self.answers.to_withdraw(waiting)
        if not references:
            return
        event = CancellationEvent(
            event_id=self.new_id(), occurred_at=self.now(), job_id=asked.job_id, reference_event_ids=references
        )
        record = encode(event, topic=self.topics.cancellations, key=asked.job_id, trace=asked.trace)
        try:
            await asyncio.shield(self._call(self.publisher.publish, [record]))
        except DependencyDown as error:
            _log.warning("job_not_withdrawn", job_id=asked.job_id, why=error.message)

    async def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.calling, function, *arguments)


def _sha256(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(HASHED_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _refuse_another(asked: Asked, audio_sha256: str, transcript: TranscriptEvent) -> None:
    wished = asked.enrich is None or transcript.enrich == asked.enrich
    # Only a key of the caller's can have been used before, for something else.
    same = not asked.repeatable or is_same_job(transcript, audio_sha256=audio_sha256, options=asked.options)
    if transcript.tenant != asked.tenant or not wished or not same:
        raise KeyReused
