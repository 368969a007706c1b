"""A finished job to the event that says so, and whether it is the one that a reference asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.once import Holding
from consumers.progress import JobProgress
from consumers.runtime.stage import Job
from consumers.transcriber.fetch import FetchedAudio
from consumers.transcriber.interim_text import InterimText
from schemas import identity
from schemas.clock import Clock
from schemas.events import INLINE_TEXT_BYTES, AudioReference, TranscriptEvent
from schemas.options import EnrichOptions, ExportFormat, TranscribeOptions
from schemas.results import StoredJob
from schemas.transcripts.transcript import StageTiming, Transcript, Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one reference, while it runs. ``started`` is by the monotonic clock."""

    job: Job
    reference: AudioReference
    job_id: str
    progress: JobProgress
    text: InterimText
    holding: Holding
    started: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the audio said, and how we came by it."""

    transcript: Transcript
    content_key: str
    transcript_uri: str
    reused: bool
    fetch_seconds: float


def job_id_of(reference: AudioReference) -> str:
    """The job of a reference that has an idempotency key."""
    return identity.job_id(reference.idempotency_key or "")


def transcript_event(
    attempt: Attempt,
    audio: FetchedAudio,
    heard: Heard,
    exports: Mapping[ExportFormat, str],
    *,
    clock: Clock,
) -> TranscriptEvent:
    """The event of a finished job. A reused result cost this job nothing but the fetch."""
    reference, transcript = attempt.reference, heard.transcript
    return TranscriptEvent(
        **reference.correlation(),
        event_id=f"{attempt.job_id}.transcript",
        occurred_at=clock.now(),
        reference_occurred_at=reference.occurred_at,
        shared=attempt.holding.is_shared,
        status=transcript.status,
        source=audio.source,
        source_changed=audio.source_changed,
        reused=heard.reused,
        language=transcript.language,
        language_probability=transcript.language_probability,
        all_language_probs=transcript.all_language_probs,
        audio_duration_seconds=transcript.audio.audio_duration_seconds,
        speech_duration_seconds=transcript.audio.speech_duration_seconds,
        text=transcript.text if len(transcript.text.encode()) <= INLINE_TEXT_BYTES else None,
        segment_count=len(transcript.segments),
        flags=transcript.flags,
        transcript_uri=heard.transcript_uri,
        exports=dict(exports),
        enrich=reference.enrich,
        provenance=transcript.provenance,
        timing=_timing(attempt, heard, clock),
        usage=_nothing_but_audio(transcript) if heard.reused else transcript.usage,
    )


def transcript_again(event: TranscriptEvent, reference: AudioReference) -> TranscriptEvent | None:
    """A finished job's transcript for another reference that wants it enriched; None when it does not.

    What was asked of the enricher rests on the first reference, and ends when that one is cancelled or fails.
    """
    if not _asks(reference.enrich):
        return None
    asked = identity.request_digest(reference.event_id, "transcript")
    own = {"event_id": f"{event.job_id}.transcript.{asked}", "reference_occurred_at": reference.occurred_at}
    return event.model_copy(update={**reference.correlation(), **own, "shared": False})


def asks_for_more(reference: AudioReference, stored: StoredJob) -> bool:
    """Whether a reference asks for something that the finished job with its key has not done.

    The audio is not compared. By which name the model was asked does not matter. A job that an older release
    stored does not say what was asked, and passes.
    """
    asked = stored.reference
    return asked is not None and (
        reference.tenant != asked.tenant
        or _words(reference.options) != _words(asked.options)
        or not set(reference.options.exports) <= set(asked.options.exports)
        or (_asks(reference.enrich) and reference.enrich != asked.enrich)
    )


def is_same_object(reference: AudioReference, stored: StoredJob) -> bool:
    """Whether a reference names the object that the job read, as far as addresses tell; else compare the bytes."""
    asked, source = stored.reference, stored.event.source
    if asked is not None and _address(reference) == _address(asked):
        return True
    if reference.version_id is None and reference.etag is None:
        return reference.uri == source.uri
    return reference.etag is not None and reference.etag == source.etag


def _address(reference: AudioReference) -> tuple[str, str | None, str | None]:
    return (reference.uri, reference.version_id, reference.etag)


def _words(options: TranscribeOptions) -> str:
    return identity.options_digest(options.model_copy(update={"model": None}))


def _asks(enrich: EnrichOptions | None) -> bool:
    return enrich is not None and enrich.asks_for_anything


def _timing(attempt: Attempt, heard: Heard, clock: Clock) -> StageTiming:
    ran_seconds = clock.monotonic() - attempt.started
    written_ms = attempt.job.record.timestamp_ms
    queue_seconds = None
    if written_ms > 0:
        queue_seconds = max(0.0, clock.now().timestamp() - ran_seconds - written_ms / 1000)
    engine = StageTiming() if heard.reused else heard.transcript.timing
    return engine.model_copy(
        update={
            "queue_seconds": queue_seconds,
            "fetch_seconds": heard.fetch_seconds,
            "total_seconds": ran_seconds,
        }
    )


def _nothing_but_audio(transcript: Transcript) -> Usage:
    seconds = transcript.audio.audio_duration_seconds
    return Usage(audio_seconds=seconds, inference_seconds=0.0, windows=0, decoded_tokens=0)
