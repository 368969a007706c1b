"""Transcript records and bodies for tests of the enricher's stage."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.identity import job_id
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.options import TranscribeOptions
from schemas.settings import S3Settings
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

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOPICS = Topics()
WHEN = datetime(2026, 11, 22, tzinfo=UTC)
USAGE = Usage(audio_seconds=1.0, inference_seconds=0.1, windows=1, decoded_tokens=1)


def transcript_of(segments: Sequence[Segment], *, language: str | None = "en") -> Transcript:
    """Return a body with these segments."""
    return Transcript(
        status=TranscriptStatus.COMPLETED if segments else TranscriptStatus.NO_SPEECH,
        language=language if segments else None,
        text=" ".join(segment.text for segment in segments),
        segments=tuple(segments),
        options=TranscribeOptions(),
        audio=AudioFacts(
            audio_duration_seconds=1.0, speech_duration_seconds=1.0, channel_count=1, sample_rate_hertz=16_000
        ),
        provenance=PROVENANCE,
        timing=StageTiming(),
        usage=USAGE,
    )


def put_transcript(client: "S3Client", settings: S3Settings, transcript: Transcript, *, name: str = "t") -> str:
    """Store a body where the transcriber would; return its URI."""
    key = f"{settings.results_prefix}transcripts/{name}.json"
    client.put_object(Bucket=settings.bucket, Key=key, Body=transcript.model_dump_json().encode())
    return f"s3://{settings.bucket}/{key}"


def transcript_record(transcript_uri: str, *, offset: int = 0, key: str = "call", **fields: Any) -> Record:
    """Return a record of ``audio.transcripts``."""
    event = TranscriptEvent.model_validate(
        {
            "event_id": f"{key}.transcript",
            "occurred_at": WHEN,
            "job_id": job_id(key),
            "idempotency_key": key,
            "status": TranscriptStatus.COMPLETED,
            "source": SourceObject(uri="s3://audio/call.wav", sha256="0", object_size_bytes=1),
            "language": "en",
            "audio_duration_seconds": 1.0,
            "speech_duration_seconds": 1.0,
            "text": None,
            "segment_count": 1,
            "transcript_uri": transcript_uri,
            "provenance": PROVENANCE,
            "timing": StageTiming(),
            "usage": USAGE,
            **fields,
        }
    )
    return Record(TOPICS.transcripts, 0, offset, None, event.model_dump_json(exclude_none=True).encode())


def enrichment_in(outgoing: Sequence[OutgoingRecord]) -> EnrichmentEvent:
    """Return the one enrichment event among what a stage returned."""
    (record,) = (record for record in outgoing if record.topic == TOPICS.enrichments)
    return decode(Record(record.topic, 0, 0, record.key, record.value, record.headers), EnrichmentEvent)
