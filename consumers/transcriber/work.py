"""The work of the transcriber: from an object in the bucket to a stored transcript and its exports.

::

    check ─▶ fetch ─▶ same content? ─ no ─▶ transcribe ─▶ mark use, store transcript ─▶ exports ─▶ job
                            └─ yes: mark use ───────────────────────────────────────────▲
"""

from contextlib import AbstractContextManager
from functools import partial

from consumers.once import Claim, Claims
from consumers.runtime.ports import Weight
from consumers.transcriber.attempt import Attempt
from consumers.transcriber.events import (
    TranscribedAudio,
    is_same_object,
    queue_seconds,
    transcript_attributes,
    transcript_event,
)
from consumers.transcriber.fetch import FetchedAudio, ObjectFetcher
from consumers.transcriber.interim_text import InterimText
from consumers.transcriber.objects import Cancelled, ObjectState
from consumers.transcriber.ports import JobObserver, Results, SpeechToText
from schemas import identity
from schemas.clock import Clock
from schemas.errors import SCRATCH, DependencyDown
from schemas.events import Phase
from schemas.monitoring.tracing import note, span
from schemas.options import Channels, ExportFormat
from schemas.results import StoredJob
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import AudioFacts, Transcript


class TranscriptionWork:
    """Transcribes objects, or reuses the transcript of the same content. Thread-safe; methods block."""

    def __init__(
        self,
        fetcher: ObjectFetcher,
        results: Results,
        engine: SpeechToText,
        *,
        subtitles: SubtitleSettings,
        clock: Clock,
        observer: JobObserver,
    ) -> None:
        self._fetcher = fetcher
        self._results = results
        self._engine = engine
        self._subtitles = subtitles
        self._clock = clock
        self._observer = observer
        # Two jobs with the same audio, options and model: the second follows, and reuses the transcript.
        self._content_claims = Claims()

    def run(self, attempt: Attempt, claim: Claim) -> StoredJob:
        """Do the job of an attempt, and return the stored result. Safe to repeat.

        Raises what the fetcher, the engine and the store raise, and FollowsAnother while another job transcribes
        the same content.
        """
        options = attempt.reference.options
        self._engine.check(options)
        attempt.progress.report(Phase.ACCEPTED)
        fetching = self._fetch(attempt, cancelled=claim.is_stopped)
        attempt.progress.report(Phase.FETCHING)
        with fetching as audio:
            fetch_seconds = self._clock.monotonic() - attempt.started_at
            self._observer.on_fetched(queued_seconds=queue_seconds(attempt, self._clock), seconds=fetch_seconds)
            transcribed = self._find_or_transcribe(attempt, claim, audio)
        note({"kascribe.reused": transcribed.is_reused})
        began = self._clock.monotonic()
        with span("store result"):
            stored = self._store(attempt, claim, audio, transcribed, fetch_seconds=fetch_seconds)
        self._observer.on_stored(seconds=transcribed.store_seconds + self._clock.monotonic() - began)
        return stored

    def _store(
        self,
        attempt: Attempt,
        claim: Claim,
        audio: FetchedAudio,
        transcribed: TranscribedAudio,
        *,
        fetch_seconds: float,
    ) -> StoredJob:
        exports = self._export(transcribed, attempt.reference.options.exports)
        # Built last: another record may have joined the claim until now, and the event has to say so.
        event = transcript_event(
            attempt,
            audio,
            transcribed,
            exports=exports,
            fetch_seconds=fetch_seconds,
            is_shared=claim.is_shared,
            clock=self._clock,
        )
        return self._results.create_job(
            StoredJob(
                job_id=attempt.job_id,
                owner=attempt.job.origin,
                content_key=transcribed.content_key,
                event=event,
                reference=attempt.reference,
            )
        )

    def is_same_audio(self, attempt: Attempt, stored: StoredJob) -> bool:
        """Return whether an attempt names the audio of a finished job. Fetches the object if addresses differ."""
        if is_same_object(attempt.reference, stored):
            return True
        with self._fetch(attempt, cancelled=attempt.job.cancelled) as audio:
            return audio.source.sha256 == stored.event.source.sha256

    def _fetch(self, attempt: Attempt, *, cancelled: Cancelled) -> AbstractContextManager[FetchedAudio]:
        """Return the fetch of an attempt's object. The record gets its weight before the bytes are read.

        Raises SourceNotAllowed before any request.
        """
        reference = attempt.reference

        def weigh(state: ObjectState) -> None:
            attempt.job.weigh(Weight(object_size_bytes=state.object_size_bytes))

        wanted = attempt.state or self._fetcher.wanted(
            reference.uri, version_id=reference.version_id, etag=reference.etag
        )
        return self._fetcher.fetch(wanted, cancelled=cancelled, on_state=weigh)

    def _find_or_transcribe(self, attempt: Attempt, claim: Claim, audio: FetchedAudio) -> TranscribedAudio:
        content_key = identity.content_key(
            # The model is named by its digest, whether the caller named it or took the default.
            options=attempt.reference.options.model_copy(update={"model": None}),
            audio_sha256=audio.source.sha256,
            model_sha256=self._engine.provenance.model_sha256,
        )
        return self._content_claims.find_or_do(
            content_key,
            claim.as_requester(),
            find=partial(self._find, attempt, content_key),
            do=partial(self._transcribe_and_store, attempt, claim, audio, content_key),
        )

    def _find(self, attempt: Attempt, content_key: str) -> TranscribedAudio | None:
        transcript = self._results.find_transcript(content_key)
        if transcript is None:
            return None
        # Its other users may be removed at the same time. From the mark on, a removal leaves the transcript, or
        # stores it again; if it was deleted before the mark, this job has to make it.
        self._mark_use(attempt, content_key)
        if not self._results.has_transcript(content_key):
            return None
        uri = self._results.transcript_uri(content_key)
        return TranscribedAudio(transcript, content_key, uri, is_reused=True)

    def _transcribe_and_store(
        self, attempt: Attempt, claim: Claim, audio: FetchedAudio, content_key: str
    ) -> TranscribedAudio:
        transcript = self._transcribe(attempt, claim, audio)
        began = self._clock.monotonic()
        with span("store transcript"):
            self._mark_use(attempt, content_key)
            uri = self._results.put_transcript(content_key, transcript)
        seconds = self._clock.monotonic() - began
        return TranscribedAudio(transcript, content_key, uri, is_reused=False, store_seconds=seconds)

    def _mark_use(self, attempt: Attempt, content_key: str) -> None:
        reference = attempt.reference
        digest = identity.request_digest(reference.event_id, reference.occurred_at.isoformat())
        self._results.add_user(content_key, attempt.job_id, digest)

    def _transcribe(self, attempt: Attempt, claim: Claim, audio: FetchedAudio) -> Transcript:
        def weigh(facts: AudioFacts) -> None:
            attempt.job.weigh(Weight(audio.source.object_size_bytes, facts.audio_duration_seconds))

        attempt.progress.report(Phase.DECODING)
        options = attempt.reference.options
        text = InterimText(attempt.progress, clock=self._clock, is_in_order=options.channels is Channels.MIX)
        try:
            with span("transcribe") as transcribing:
                transcript = self._engine.transcribe(
                    audio.path,
                    options,
                    on_progress=text.on_progress,
                    cancelled=claim.is_stopped,
                    lane=attempt.reference.lane,
                    on_audio=weigh,
                )
                if transcribing.is_recorded:
                    transcribing.set(transcript_attributes(transcript))
        except DependencyDown as down:
            if down.dependency == SCRATCH:
                self._fetcher.require_room(down.needed_bytes)
            raise
        text.flush()
        return transcript

    def _export(self, transcribed: TranscribedAudio, formats: tuple[ExportFormat, ...]) -> dict[ExportFormat, str]:
        uris = {}
        for export_format in formats:
            exporter = EXPORTERS[export_format]
            body = exporter.render(transcribed.transcript, self._subtitles).encode()
            uris[export_format] = self._results.put_export(
                transcribed.content_key, export_format, body, exporter.content_type
            )
        return uris
