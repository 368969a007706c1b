"""Finished jobs, as small as they can be."""

from datetime import UTC, datetime
from typing import Final

from schemas.events import TranscriptEvent
from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import (
    AudioFacts,
    Segment,
    SourceObject,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
)
from tests.sound.provenance import PROVENANCE

NOW: Final = datetime(2026, 1, 2, tzinfo=UTC)
TIMING: Final = StageTiming()
USAGE: Final = Usage(audio_seconds=1.0, inference_seconds=0.0, windows=1, decoded_tokens=1)


def event_of(job_id: str, *, text: str | None = None, **metadata: str) -> TranscriptEvent:
    """Return the event of a completed job."""
    return TranscriptEvent(
        event_id=f"{job_id}.transcript",
        occurred_at=NOW,
        job_id=job_id,
        metadata=metadata,
        idempotency_key="k",
        status=TranscriptStatus.COMPLETED,
        source=SourceObject(uri="s3://audio/a.wav", sha256="0", object_size_bytes=1),
        audio_duration_seconds=1.0,
        speech_duration_seconds=1.0,
        text=text,
        segment_count=1,
        transcript_uri="s3://audio/t.json",
        provenance=PROVENANCE,
        timing=TIMING,
        usage=USAGE,
    )


def spoken_transcript(text: str) -> Transcript:
    """Return a transcript of one segment."""
    return Transcript(
        status=TranscriptStatus.COMPLETED,
        text=text,
        segments=(Segment(id=0, start=0.0, end=1.0, text=text),),
        options=TranscribeOptions(),
        audio=AudioFacts(
            audio_duration_seconds=1.0, speech_duration_seconds=1.0, channel_count=1, sample_rate_hertz=16_000
        ),
        provenance=PROVENANCE,
        timing=TIMING,
        usage=USAGE,
    )
