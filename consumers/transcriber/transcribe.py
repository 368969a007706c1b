"""The transcriber's stage: a record that names audio in, a transcript event out.

::

    read ─▶ claim ─▶ found? ─▶ wanted? ─▶ fetch ─▶ same content? ─▶ transcribe ─▶ store body ─▶ create ─▶ events
                        │         └─ no ─▶ nothing                                                 │
                        └────────────────────────────────────────────────────────────────▶ ours? ──┘
"""

from collections.abc import Callable, Sequence
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.cancellations import Cancellations
from consumers.failures import is_failure, is_told_already
from consumers.once import Holding, InFlight
from consumers.progress import JobProgress, ProgressEvents
from consumers.runtime.stage import CancelledByCaller, Job, Weight
from consumers.transcriber.events import (
    Attempt,
    Heard,
    asks_for_more,
    is_same_object,
    job_id_of,
    transcript_again,
    transcript_event,
)
from consumers.transcriber.fetch import FetchedAudio, ObjectFetcher, ObjectState
from consumers.transcriber.interim_text import InterimText
from consumers.transcriber.ports import Results, SpeechToText
from consumers.transcriber.references import Intake
from schemas import identity
from schemas.clock import Clock, SystemClock
from schemas.errors import ENGINE, SCRATCH, DependencyDown, JobError, KeyReused
from schemas.events import AudioReference, Failure, Phase
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.object_addresses import S3
from schemas.options import ExportFormat, TranscribeOptions
from schemas.results import StoredJob
from schemas.roles import Role
from schemas.settings import S3Settings
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.transcript import AudioFacts, Transcript

_log = structlog.get_logger(__name__)


class TranscribeStage:
    """Implements ``consumers.runtime.stage.Stage``. Stateless but for the jobs in flight; safe to repeat."""

    name = Role.TRANSCRIBER

    def __init__(
        self,
        fetcher: ObjectFetcher,
        results: Results,
        engine: SpeechToText,
        *,
        topics: Topics,
        settings: S3Settings,
        cancellations: Cancellations | None = None,
        clock: Clock | None = None,
        new_id: Callable[[], str] = identity.random_id,
    ) -> None:
        self._fetcher = fetcher
        self._results = results
        self._engine = engine
        self._topics = topics
        self._cancellations = cancellations or Cancellations()
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._intake = Intake(fetcher, topics=topics, settings=settings)
        self._in_flight = InFlight()
        # The same audio of several jobs, by content: the second record follows, and reuses the transcript.
        self._hearing = InFlight()

    @property
    def topics(self) -> tuple[str, ...]:
        """References and bucket notifications."""
        return (self._topics.references, self._topics.objects)

    @property
    def services(self) -> tuple[str, ...]:
        """The bucket."""
        return (S3,)

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """The events of the job that a record names. See ``Stage.process``.

        Of the records with one identity the owner publishes the transcript; any other reference is told where it
        is, and any other notification completes without output.
        """
        with bound_contextvars(trace_id=job.trace.trace_id):
            try:
                return self._read_and_process(job)
            except Exception as error:
                if is_failure(error) and self._is_told_already(job, error):
                    return ()
                raise

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """The FAILED event beside a dead letter, with the job's identity as far as the record tells it."""
        reference = self._intake.best_guess(job, now=self._clock.now())
        return (self._progress(job, reference).ended(Phase.FAILED, failure=failure),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Whether the bucket or the engine answers, or the scratch disk has room."""
        if dependency == ENGINE:
            return self._engine.healthy()
        return self._fetcher.is_up(dependency)

    def _read_and_process(self, job: Job) -> Sequence[OutgoingRecord]:
        work = self._intake.read(job, now=self._clock.now())
        if work.reference is None:
            _log.debug("nothing_to_transcribe", origin=str(job.origin), forwarded=len(work.forwarded))
            return work.forwarded
        # Not only while this lasts: the runtime says it too, when it settles what is raised here.
        bind_contextvars(job_id=job_id_of(work.reference))
        try:
            return self._process(job, work.reference, work.state)
        except JobError as error:
            self._progress(job, work.reference).report_retry(error)
            raise

    def _process(self, job: Job, reference: AudioReference, state: ObjectState | None) -> Sequence[OutgoingRecord]:
        job_id = job_id_of(reference)
        request = self._cancellations.track(
            job_id, requested_at=reference.occurred_at, event_id=reference.event_id
        )
        with self._in_flight.claim(
            job_id, job.origin, cancelled=job.cancelled, withdrawn=request.is_cancelled
        ) as holding:
            attempt = self._attempt(job, reference, holding)
            # Publish what is finished, cancelled or not: only its owner can, and others may wait for it.
            stored = self._results.find_job(job_id) or holding.unless_withdrawn(partial(self._do, attempt, state))
            if stored is None:
                _log.info("job_cancelled", origin=str(job.origin))
                raise CancelledByCaller((attempt.progress.ended(Phase.CANCELLED),))
            if stored.owner != job.origin:
                return self._pointed_to(attempt, stored, state)
        _log.info("job_completed", reused=stored.event.reused, transcript_uri=stored.event.transcript_uri)
        return (
            wire.encode(stored.event, topic=self._topics.transcripts, key=job_id, trace=job.trace),
            attempt.progress.ended(Phase.COMPLETED, result_uri=stored.event.transcript_uri),
        )

    def _pointed_to(
        self, attempt: Attempt, stored: StoredJob, state: ObjectState | None
    ) -> Sequence[OutgoingRecord]:
        """Where the result of a finished job is, for another record that asks for the same. Raises KeyReused."""
        job, reference = attempt.job, attempt.reference
        if asks_for_more(reference, stored) or not self._is_same_audio(attempt, stored, state):
            raise KeyReused(
                f"the idempotency key {reference.idempotency_key} names job {attempt.job_id}, which was asked for "
                "other audio, with other options or by another tenant: use another key"
            )
        _log.info("job_done_by_another_record", origin=str(job.origin), owner=str(stored.owner))
        if self._intake.is_notification(job):
            return ()
        completed = attempt.progress.ended(Phase.COMPLETED, result_uri=stored.event.transcript_uri)
        again = transcript_again(stored.event, reference)
        if again is None:
            return (completed,)
        return (
            wire.encode(again, topic=self._topics.transcripts, key=attempt.job_id, trace=job.trace),
            completed,
        )

    def _is_same_audio(self, attempt: Attempt, stored: StoredJob, state: ObjectState | None) -> bool:
        """Fetches the object where its address does not tell."""
        reference = attempt.reference
        if is_same_object(reference, stored):
            return True
        state = state or self._fetcher.look_up(reference.uri, version_id=reference.version_id, etag=reference.etag)
        attempt.job.weigh(Weight(object_size_bytes=state.object_size_bytes))
        with self._fetcher.fetched(state, cancelled=attempt.job.cancelled) as audio:
            return audio.source.sha256 == stored.event.source.sha256

    def _is_told_already(self, job: Job, error: Exception) -> bool:
        now = self._clock.now
        reference = self._intake.best_guess(job, now=now())
        request = (reference.event_id, reference.occurred_at)
        return is_told_already(job, error, self._results, job_id=job_id_of(reference), request=request, now=now)

    def _do(self, attempt: Attempt, state: ObjectState | None) -> StoredJob:
        reference, job = attempt.reference, attempt.job
        self._engine.check(reference.options)
        attempt.progress.report(Phase.ACCEPTED)
        state = state or self._fetcher.look_up(reference.uri, version_id=reference.version_id, etag=reference.etag)
        job.weigh(Weight(object_size_bytes=state.object_size_bytes))
        attempt.progress.report(Phase.FETCHING)
        with self._fetcher.fetched(state, cancelled=attempt.holding.cancelled) as audio:
            fetch_seconds = self._clock.monotonic() - attempt.started
            heard = self._hear(attempt, audio, fetch_seconds)
        exports = self._export(reference.options, heard)
        event = transcript_event(attempt, audio, heard, exports, clock=self._clock)
        return self._results.create_job(
            StoredJob(
                job_id=attempt.job_id,
                owner=job.origin,
                content_key=heard.content_key,
                event=event,
                reference=reference,
            )
        )

    def _hear(self, attempt: Attempt, audio: FetchedAudio, fetch_seconds: float) -> Heard:
        options = attempt.reference.options
        content_key = identity.content_key(
            # The model is named by its digest, whether the caller named it or took the default.
            options=options.model_copy(update={"model": None}),
            audio_sha256=audio.source.sha256,
            model_sha256=self._engine.provenance.model_sha256,
        )
        known = self._results.find_transcript(content_key)
        if known is None:
            holding = attempt.holding
            with self._hearing.claim(
                content_key, attempt.job.origin, cancelled=holding.cancelled, withdrawn=holding.withdrawn
            ):
                # Another job may have finished it since.
                known = self._results.find_transcript(content_key)
                if known is None:
                    transcript = self._transcribe(attempt, audio)
                    uri = self._results.put_transcript(content_key, transcript)
                    return Heard(transcript, content_key, uri, reused=False, fetch_seconds=fetch_seconds)
        uri = self._results.transcript_uri(content_key)
        return Heard(known, content_key, uri, reused=True, fetch_seconds=fetch_seconds)

    def _transcribe(self, attempt: Attempt, audio: FetchedAudio) -> Transcript:
        job, progress = attempt.job, attempt.progress

        def weigh(facts: AudioFacts) -> None:
            job.weigh(Weight(audio.source.object_size_bytes, facts.audio_duration_seconds))

        progress.report(Phase.DECODING)
        try:
            transcript = self._engine.transcribe(
                audio.path,
                attempt.reference.options,
                on_progress=attempt.text.on_progress,
                cancelled=attempt.holding.cancelled,
                lane=attempt.reference.lane,
                on_audio=weigh,
            )
        except DependencyDown as down:
            if down.dependency == SCRATCH:
                self._fetcher.need_room(down.needed_bytes)
            raise
        attempt.text.flush()
        return transcript

    def _export(self, options: TranscribeOptions, heard: Heard) -> dict[ExportFormat, str]:
        uris = {}
        for export_format in options.exports:
            exporter = EXPORTERS[export_format]
            body = exporter.render(heard.transcript).encode()
            uris[export_format] = self._results.put_export(
                heard.content_key, export_format, body, exporter.content_type
            )
        return uris

    def _attempt(self, job: Job, reference: AudioReference, holding: Holding) -> Attempt:
        progress = self._progress(job, reference)
        text = InterimText(progress, clock=self._clock)
        started = self._clock.monotonic()
        return Attempt(job, reference, job_id_of(reference), progress, text, holding, started)

    def _progress(self, job: Job, reference: AudioReference) -> JobProgress:
        events = ProgressEvents(Role.TRANSCRIBER, reference.correlation(), self._clock, self._new_id)
        return JobProgress(job, events, topic=self._topics.progress)
