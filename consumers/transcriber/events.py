"""Transcript events of finished jobs, and whether a finished job is the one that a reference requests. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.transcriber.attempt import Attempt
from consumers.transcriber.fetch import FetchedAudio
from schemas import identity
from schemas.clock import Clock
from schemas.events import INLINE_TEXT_BYTES, AudioReference, TranscriptEvent
from schemas.monitoring.spans import Attributes
from schemas.options import EnrichOptions, ExportFormat, TranscribeOptions
from schemas.results import StoredJob
from schemas.transcripts.transcript import StageTiming, Transcript, Usage


@dataclass(frozen=True, slots=True)
class TranscribedAudio:
    """A stored transcript; ``is_reused`` where another job transcribed the same content.

    ``store_seconds`` is what storing it took.
    """

    transcript: Transcript
    content_key: str
    transcript_uri: str
    is_reused: bool
    store_seconds: float = 0.0


def transcript_event(
    attempt: Attempt,
    audio: FetchedAudio,
    transcribed: TranscribedAudio,
    *,
    exports: Mapping[ExportFormat, str],
    fetch_seconds: float,
    is_shared: bool,
    clock: Clock,
) -> TranscriptEvent:
    """Return the event of a finished job. A reused transcript costs the job nothing but the fetch."""
    reference, transcript = attempt.reference, transcribed.transcript
    return TranscriptEvent(
        **reference.correlation(),
        event_id=f"{attempt.job_id}.transcript",
        occurred_at=clock.now(),
        reference_occurred_at=reference.occurred_at,
        shared=is_shared,
        status=transcript.status,
        source=audio.source,
        source_changed=audio.source_changed,
        reused=transcribed.is_reused,
        language=transcript.language,
        language_probability=transcript.language_probability,
        all_language_probs=transcript.all_language_probs,
        audio_duration_seconds=transcript.audio.audio_duration_seconds,
        speech_duration_seconds=transcript.audio.speech_duration_seconds,
        text=transcript.text if len(transcript.text.encode()) <= INLINE_TEXT_BYTES else None,
        segment_count=len(transcript.segments),
        flags=transcript.flags,
        transcript_uri=transcribed.transcript_uri,
        exports=dict(exports),
        enrich=reference.enrich,
        provenance=transcript.provenance,
        timing=_timing(attempt, transcribed, fetch_seconds, clock),
        usage=_usage_of_reuse(transcript) if transcribed.is_reused else transcript.usage,
    )


def transcript_attributes(transcript: Transcript) -> Attributes:
    """Return what a span tells of a transcript: never its text."""
    provenance = transcript.provenance
    return {
        "kascribe.audio_seconds": transcript.audio.audio_duration_seconds,
        "kascribe.speech_seconds": transcript.audio.speech_duration_seconds,
        "kascribe.language": transcript.language or "",
        "kascribe.status": transcript.status.value,
        "kascribe.flags": tuple(flag.value for flag in transcript.flags),
        "kascribe.model": provenance.model,
        "kascribe.device": provenance.device,
        "kascribe.compute_type": provenance.compute_type,
    }


def transcript_for(reference: AudioReference, event: TranscriptEvent) -> TranscriptEvent | None:
    """Return a finished job's event for another reference that requests an enrichment, or has another webhook.

    None for any other, and for a copy of the reference that the event answers. The enrichment that the job's own
    event requests is the first reference's: it ends when that one is cancelled or fails.
    """
    enriches, is_told_elsewhere = (
        _requests_enrichment(reference.enrich),
        reference.webhook_url != event.webhook_url,
    )
    if reference.event_id == event.reference_event_id or not (enriches or is_told_elsewhere):
        return None
    enrich = event.enrich if enriches else EnrichOptions()  # none: the enricher leaves such an event alone
    digest = identity.request_digest(reference.event_id, "transcript")
    own = {"event_id": f"{event.job_id}.transcript.{digest}", "reference_occurred_at": reference.occurred_at}
    return event.model_copy(update={**reference.correlation(), **own, "enrich": enrich, "shared": False})


def has_other_requirements(reference: AudioReference, stored: StoredJob) -> bool:
    """Return whether a reference requires something that the finished job with its key has not done.

    Neither the audio nor the model's name is compared. A job that an older release stored has no reference to
    compare with, and passes.
    """
    first = stored.reference
    return first is not None and (
        reference.tenant != first.tenant
        or _options_digest(reference.options) != _options_digest(first.options)
        or not set(reference.options.exports) <= set(first.options.exports)
        or (_requests_enrichment(reference.enrich) and reference.enrich != first.enrich)
    )


def is_same_object(reference: AudioReference, stored: StoredJob) -> bool:
    """Return whether the addresses prove that a reference names the object that the job read.

    If they do not, the bytes may still be the same.
    """
    first, source = stored.reference, stored.event.source
    if first is not None and _address(reference) == _address(first):
        return True
    if reference.version_id is None and reference.etag is None:
        return reference.uri == source.uri
    return reference.etag is not None and reference.etag == source.etag


def queue_seconds(attempt: Attempt, clock: Clock) -> float | None:
    """Return the time from an attempt's record being written to its start; None where the record has no time."""
    written_ms = attempt.job.record.timestamp_ms
    if written_ms <= 0:
        return None
    running_seconds = clock.monotonic() - attempt.started_at
    return max(0.0, clock.now().timestamp() - running_seconds - written_ms / 1000)


def _address(reference: AudioReference) -> tuple[str, str | None, str | None]:
    return (reference.uri, reference.version_id, reference.etag)


def _options_digest(options: TranscribeOptions) -> str:
    return identity.options_digest(options.model_copy(update={"model": None}))


def _requests_enrichment(enrich: EnrichOptions | None) -> bool:
    return enrich is not None and enrich.has_work


def _timing(attempt: Attempt, transcribed: TranscribedAudio, fetch_seconds: float, clock: Clock) -> StageTiming:
    engine = StageTiming() if transcribed.is_reused else transcribed.transcript.timing
    return engine.model_copy(
        update={
            "queue_seconds": queue_seconds(attempt, clock),
            "fetch_seconds": fetch_seconds,
            "total_seconds": clock.monotonic() - attempt.started_at,
        }
    )


def _usage_of_reuse(transcript: Transcript) -> Usage:
    seconds = transcript.audio.audio_duration_seconds
    return Usage(audio_seconds=seconds, inference_seconds=0.0, windows=0, decoded_tokens=0)
