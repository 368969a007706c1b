"""Jobs and records for tests of the transcriber's stage, without a runtime around it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote_plus

from consumers.cancellations import Cancellations
from consumers.runtime.ports import Job, Weight
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from producers.results import ResultStore
from producers.s3 import create_client
from schemas.errors import PermanentError
from schemas.events import AudioReference, ProgressEvent, TranscriptEvent
from schemas.kafka import wire
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.settings import S3Settings
from tests.sound.wav_listener import WavListener

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

E = TypeVar("E", TranscriptEvent, ProgressEvent)
TOPICS = Topics()
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@dataclass
class Runtime:
    """What a stage sees of the runtime: reports and weights are kept, cancellation is a switch."""

    reported: list[OutgoingRecord] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    cancelled: bool = False

    def job(self, record: Record, *, origin: Coordinates | None = None, attempt: int = 1) -> Job:
        """One attempt at a record."""
        return Job(
            record=record,
            origin=origin or record.coordinates,
            attempt=attempt,
            trace=TRACE,
            report=self.reported.append,
            weigh=self.weights.append,
            cancelled=lambda: self.cancelled,
            is_final=lambda error: isinstance(error, PermanentError),
        )

    @property
    def progress(self) -> list[ProgressEvent]:
        """What was reported while the job ran."""
        return [decoded(record, ProgressEvent) for record in self.reported]


def stage_on(
    settings: S3Settings, engine: WavListener, *, cancellations: Cancellations | None = None
) -> TranscribeStage:
    """Return the stage with real fetch and real results; stages of one endpoint share a client."""
    client = _client(settings.model_copy(update={"bucket": "any", "object_limit_bytes": 1}))
    fetcher = ObjectFetcher(settings, client=client)
    results = ResultStore(settings, client=client)
    return TranscribeStage(fetcher, results, engine, topics=TOPICS, settings=settings, cancellations=cancellations)


@cache
def _client(settings: S3Settings) -> "S3Client":
    return create_client(settings)


def reference_record(uri: str, *, offset: int = 0, **fields: Any) -> Record:
    """Return a record of ``audio.references``."""
    reference = AudioReference.model_validate(
        {"event_id": "e", "occurred_at": datetime(2026, 11, 22, tzinfo=UTC), "uri": uri, **fields}
    )
    return Record(TOPICS.references, 0, offset, None, reference.model_dump_json().encode())


def notification(
    bucket: str, *keys: str, metadata: dict[str, str] | None = None, etag: str = "", time: str | None = None
) -> bytes:
    """Return a MinIO notification about new objects."""
    records = [
        {
            "eventSource": "minio:s3",
            "eventName": "s3:ObjectCreated:Put",
            **({"eventTime": time} if time else {}),
            "s3": {
                "bucket": {"name": bucket},
                "object": {
                    "key": quote_plus(key),
                    "eTag": etag or "6a8f",
                    "userMetadata": {f"X-Amz-Meta-{name}": value for name, value in (metadata or {}).items()},
                },
            },
        }
        for key in keys
    ]
    return json.dumps(
        {"EventName": "s3:ObjectCreated:Put", "Key": f"{bucket}/{keys[0]}", "Records": records}
    ).encode()


def objects_record(value: bytes, *, offset: int = 0) -> Record:
    """Return a record of ``audio.objects``."""
    return Record(TOPICS.objects, 0, offset, None, value)


def decoded(outgoing: OutgoingRecord, kind: type[E]) -> E:
    """Return the event in a record that leaves."""
    return wire.decode(Record(outgoing.topic, 0, 0, outgoing.key, outgoing.value, outgoing.headers), kind)


def transcripts(outgoing: Sequence[OutgoingRecord]) -> list[TranscriptEvent]:
    """Return the transcript events among what a stage returned."""
    return [decoded(record, TranscriptEvent) for record in outgoing if record.topic == TOPICS.transcripts]


def uri(settings: S3Settings, key: str = "call.wav") -> str:
    """Return the address of an object in the test's bucket."""
    return f"s3://{settings.bucket}/{key}"
