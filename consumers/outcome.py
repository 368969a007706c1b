"""A finished or failed job to the events that say so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumers.fetch import FetchedAudio
from consumers.in_flight import Holding
from consumers.progress import ProgressReporter, Surroundings
from consumers.runtime.stage import Job
from schemas import identity
from schemas.events import INLINE_TEXT_BYTES, AudioReference, Failure, Phase, ProgressEvent, TranscriptEvent
from schemas.options import ExportFormat
from schemas.transcript import StageTiming, Transcript, Usage

STAGE_NAME: Final = "transcriber"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one reference, while it runs. ``started`` is by the monotonic clock."""

    job: Job
    reference: AudioReference
    job_id: str
    progress: ProgressReporter
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
    surroundings: Surroundings,
) -> TranscriptEvent:
    """The event of a finished job. A reused result cost this job nothing but the fetch."""
    reference, transcript = attempt.reference, heard.transcript
    # Whoever else asked for the job may want its enrichment still, when this reference is withdrawn.
    asked_alone = not attempt.holding.is_shared
    return TranscriptEvent(
        event_id=f"{attempt.job_id}.transcript",
        occurred_at=surroundings.now(),
        job_id=attempt.job_id,
        tenant=reference.tenant,
        lane=reference.lane,
        metadata=reference.metadata,
        idempotency_key=reference.idempotency_key or "",
        reference_event_id=reference.event_id if asked_alone else None,
        reference_occurred_at=reference.occurred_at if asked_alone else None,
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
        timing=_timing(attempt, heard, surroundings),
        usage=_nothing_but_audio(transcript) if heard.reused else transcript.usage,
    )


def ended_event(
    reference: AudioReference, phase: Phase, failure: Failure | None, *, now: datetime
) -> ProgressEvent:
    """The one reliable progress event of a job: COMPLETED or FAILED."""
    job_id = job_id_of(reference)
    return ProgressEvent(
        event_id=f"{job_id}.{phase.value}",
        occurred_at=now,
        job_id=job_id,
        tenant=reference.tenant,
        lane=reference.lane,
        metadata=reference.metadata,
        phase=phase,
        stage=STAGE_NAME,
        fraction=1.0 if phase is Phase.COMPLETED else None,
        failure=failure,
    )


def _timing(attempt: Attempt, heard: Heard, surroundings: Surroundings) -> StageTiming:
    ran_seconds = surroundings.clock() - attempt.started
    written_ms = attempt.job.record.timestamp_ms
    queue_seconds = None
    if written_ms > 0:
        queue_seconds = max(0.0, surroundings.now().timestamp() - ran_seconds - written_ms / 1000)
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
