"""Events of jobs, as the archive reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas import identity
from schemas.errors import Reason
from schemas.events import (
    AudioReference,
    EnrichmentEvent,
    EnrichmentResult,
    EnrichmentStatus,
    Event,
    Failure,
    Phase,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka import wire
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions
from schemas.roles import Role
from schemas.transcripts.transcript import (
    Segment,
    SourceObject,
    StageTiming,
    TokenUsage,
    Transcript,
    TranscriptStatus,
    Usage,
)
from tests.contract.enricher.enrich_jobs import transcript_of
from tests.sound.provenance import PROVENANCE

TOPICS: Final = Topics()
BEGINNING: Final = datetime(2026, 11, 22, 9, tzinfo=UTC)
_USAGE: Final = Usage(audio_seconds=9.0, inference_seconds=1.0, windows=1, decoded_tokens=4)
_TOPIC_OF: Final[dict[type[Event], str]] = {
    AudioReference: TOPICS.references,
    ProgressEvent: TOPICS.progress,
    TranscriptEvent: TOPICS.transcripts,
    EnrichmentEvent: TOPICS.enrichments,
    DeletionEvent: TOPICS.deletions,
}


def at(second: float) -> datetime:
    """Return a moment, in seconds after the beginning."""
    return BEGINNING + timedelta(seconds=second)


def record_of(event: Event, *, offset: int = 0) -> Record:
    """Return the record of an event on its topic."""
    out = wire.encode(event, topic=_TOPIC_OF[type(event)], key="k", trace=Trace.start())
    return Record(out.topic, 0, offset, out.key, out.value, out.headers)


def reference(key: str = "call", *, second: float = 0, **fields: Any) -> AudioReference:
    """Return a request for a transcript of ``key``.wav."""
    known = {
        "event_id": f"{key}@{second}",
        "occurred_at": at(second),
        "uri": f"s3://audio/calls/{key}.wav",
        "idempotency_key": key,
        "tenant": "team",
        "metadata": {"case": "7"},
    }
    return AudioReference.model_validate({**known, **fields})


def progress(
    phase: Phase,
    key: str = "call",
    *,
    second: float,
    stage: Role = Role.TRANSCRIBER,
    reason: Reason | None = None,
    **fields: Any,
) -> ProgressEvent:
    """Return a progress event; with a reason, of a failure."""
    failure = Failure(reason=reason, message="no samples", attempt=1) if reason else None
    return ProgressEvent(
        **{**reference(key).correlation(), **fields},
        event_id=f"{key}.{stage}.{phase}@{second}",
        occurred_at=at(second),
        phase=phase,
        stage=stage,
        failure=failure,
    )


def transcript_event(
    key: str = "call", *, second: float = 10, text: str | None = None, uri: str = "", **fields: Any
) -> TranscriptEvent:
    """Return the event of a transcript, whose body is at ``uri``."""
    known = {
        **reference(key).correlation(),
        "event_id": f"{key}.transcript",
        "occurred_at": at(second),
        "reference_occurred_at": at(0),
        "status": TranscriptStatus.COMPLETED,
        "source": SourceObject(uri=f"s3://audio/calls/{key}.wav", sha256="0", object_size_bytes=1),
        "language": "en",
        "audio_duration_seconds": 9.0,
        "speech_duration_seconds": 8.0,
        "text": text,
        "segment_count": 1,
        "transcript_uri": uri or f"s3://none/kascribe-results/transcripts/{key}.json",
        "provenance": PROVENANCE,
        "timing": StageTiming(total_seconds=1.5),
        "usage": _USAGE,
    }
    return TranscriptEvent.model_validate({**known, **fields})


def enrichment_event(
    options: EnrichOptions, key: str = "call", *, second: float = 20, output: Any = "요약", bucket: str = "none"
) -> EnrichmentEvent:
    """Return the event of an enrichment with one result for each profile."""
    digest = identity.enrich_digest(options)
    results = [
        EnrichmentResult(
            profile=profile, profile_version="1", status=EnrichmentStatus.COMPLETED, output=output, coverage=1.0
        )
        for profile in options.profiles
    ]
    return EnrichmentEvent(
        **reference(key).correlation(),
        event_id=f"{key}.{digest}",
        occurred_at=at(second),
        transcript_uri="s3://none/t.json",
        model="org/chat",
        results=tuple(results),
        results_uri=f"s3://{bucket}/kascribe-results/enrichments/{identity.job_id(key)}/{digest}.json",
        usage=TokenUsage(),
        total_seconds=1.0,
    )


def deletion(key: str = "call", *, second: float = 30) -> DeletionEvent:
    """Return the event of a deletion."""
    return DeletionEvent(
        event_id=f"{key}.deleted@{second}", occurred_at=at(second), job_id=identity.job_id(key), tenant="team"
    )


def body(*texts: str, language: str = "en") -> Transcript:
    """Return a whole transcript with a segment for each text."""
    segments: Sequence[Segment] = [
        Segment(id=index, start=float(index), end=index + 0.5, text=text, language=language)
        for index, text in enumerate(texts)
    ]
    return transcript_of(segments, language=language)
