"""Finished recordings, put into the bucket as the stages leave them: no model is needed to look at one."""

import hashlib
import io
import math
import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from producers.results import EnrichmentResults, ResultStore
from schemas import identity
from schemas.events import EnrichmentEvent, EnrichmentResult
from schemas.kafka.records import Coordinates
from schemas.object_addresses import ObjectAddress
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment, StoredJob
from schemas.settings import S3Settings
from schemas.transcripts.transcript import (
    AudioFacts,
    QualityFlag,
    Segment,
    SourceObject,
    TokenUsage,
    Transcript,
    Word,
)
from tests.support.kept import NOW, event_of, spoken_transcript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RATE_HERTZ: Final = 8_000
WORD_SECONDS: Final = 0.5
OWNER: Final = Coordinates(topic="audio.references", partition=0, offset=0)


def tone(seconds: float) -> bytes:
    """Return a tone of a length, as a WAV file."""
    buffer = io.BytesIO()
    period = b"".join(
        struct.pack("<h", round(4_000 * math.sin(2 * math.pi * n / 20))) for n in range(20)
    )  # 400 Hz
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HERTZ)
        sound.writeframes((period * (round(seconds * RATE_HERTZ) // 20 + 1))[: 2 * round(seconds * RATE_HERTZ)])
    return buffer.getvalue()


def said(
    position: int,
    text: str,
    *,
    start: float,
    timed: bool = True,
    unsure: Sequence[str] = (),
    flags: Sequence[QualityFlag] = (),
    channel: int | None = None,
    language: str | None = None,
) -> Segment:
    """Return a segment in which every word takes half a second; those of ``unsure`` are improbable."""
    words = tuple(
        Word(
            word=f" {word}",
            start=start + number * WORD_SECONDS,
            end=start + (number + 1) * WORD_SECONDS,
            probability=0.31 if word in unsure else 0.93,
        )
        for number, word in enumerate(text.split())
    )
    return Segment(
        id=position,
        start=start,
        end=start + len(words) * WORD_SECONDS,
        text=f" {text}",
        words=words if timed else None,
        flags=tuple(flags),
        channel=channel,
        language=language,
    )


def spoken(texts: Sequence[str], **segment: Any) -> tuple[Segment, ...]:
    """Return segments one after the other."""
    found: list[Segment] = []
    for text in texts:
        found.append(said(len(found), text, start=found[-1].end if found else 0.0, **segment))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Puts recordings into a bucket."""

    s3: S3Settings
    client: "S3Client"

    def put(
        self,
        name: str,
        segments: Sequence[Segment],
        *,
        language: str | None = "en",
        sound: bytes | None = None,
        flags: Sequence[QualityFlag] = (),
        channel_count: int = 1,
        **audio: float,
    ) -> str:
        """Store a recording, its transcript and its job; return its id. ``audio`` are fields of AudioFacts."""
        key = f"kascribe-uploads/{identity.random_id()}/{name}"
        length = max((segment.end for segment in segments), default=1.0)
        body = tone(length) if sound is None else sound
        etag = self.client.put_object(Bucket=self.s3.bucket, Key=key, Body=body, ContentType="audio/wav")["ETag"]
        text = " ".join(segment.text.strip() for segment in segments)
        transcript = spoken_transcript(text).model_copy(
            update={
                "segments": tuple(segments),
                "language": language,
                "flags": tuple(flags),
                "audio": AudioFacts(
                    audio_duration_seconds=length,
                    speech_duration_seconds=length,
                    channel_count=channel_count,
                    sample_rate_hertz=RATE_HERTZ,
                    **audio,
                ),
            }
        )
        return self._put_job(key, etag.strip('"'), body, transcript)

    def lose_sound(self, job_id: str) -> None:
        """Delete the recording of a job, as a lifecycle rule may."""
        job = ResultStore(self.s3, client=self.client).find_job(job_id)
        assert job is not None
        address = ObjectAddress.parse(job.event.source.uri)
        self.client.delete_object(Bucket=address.bucket, Key=address.key)

    def _put_job(self, key: str, etag: str, body: bytes, transcript: Transcript) -> str:
        job_id, results = identity.job_id(key), ResultStore(self.s3, client=self.client)
        content_key = hashlib.sha256(key.encode()).hexdigest()
        digest = hashlib.sha256(body).hexdigest()
        uri = f"s3://{self.s3.bucket}/{key}"
        event = event_of(job_id, text=transcript.text).model_copy(
            update={
                "idempotency_key": key,
                "language": transcript.language,
                "transcript_uri": results.put_transcript(content_key, transcript),
                "source": SourceObject(uri=uri, etag=etag, sha256=digest, object_size_bytes=len(body)),
                "audio_duration_seconds": transcript.audio.audio_duration_seconds,
                "segment_count": len(transcript.segments),
                "flags": transcript.flags,
            }
        )
        results.create_job(StoredJob(job_id=job_id, owner=OWNER, content_key=content_key, event=event))
        return job_id

    def enrich(self, job_id: str, *answers: EnrichmentResult, options: EnrichOptions) -> None:
        """Store what a language model made of a recording."""
        results = EnrichmentResults(self.s3, client=self.client)
        digest = identity.enrich_digest(options)
        event = EnrichmentEvent(
            event_id=f"{job_id}.{digest}",
            occurred_at=NOW,
            job_id=job_id,
            transcript_uri="s3://audio/t.json",
            language="en",
            model="org/chat",
            results=answers,
            results_uri=results.results_uri(job_id, digest),
            usage=TokenUsage(),
            total_seconds=1.0,
        )
        results.create_enrichment(
            StoredEnrichment(job_id=job_id, owner=OWNER, enrich_digest=digest, event=event, options=options)
        )
