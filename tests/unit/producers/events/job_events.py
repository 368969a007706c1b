"""Events and stored objects of one job, for tests of how it stands and how it is followed."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kascribe.documents.event_examples import EXAMPLES
from schemas.errors import Reason
from schemas.events import AudioReference, EnrichmentEvent, Failure, Phase, ProgressEvent, TranscriptEvent
from schemas.identity import enrich_digest, request_digest
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.topics import Topics
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, FailedRequest, StoredEnrichment, StoredJob

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB: Final = "a" * 32
OTHER_JOB: Final = "b" * 32
SUMMARY: Final = EnrichOptions(profiles=("summary",))
TOPIC: Final = Topics().progress


def at(second: float) -> datetime:
    """Return a moment, in seconds after noon."""
    return NOON + timedelta(seconds=second)


def event(
    phase: Phase,
    second: float = 0,
    *,
    reference: str = "r1",
    stage: str = "transcriber",
    reason: Reason | None = None,
    **changed: Any,
) -> ProgressEvent:
    """Return a progress event of the job; ``reason`` makes a failure."""
    failure = Failure(reason=reason, message=f"it is {reason}", attempt=2) if reason else None
    given: dict[str, Any] = {
        "event_id": f"{reference}.{stage}.{phase}.{second}",
        "occurred_at": at(second),
        "job_id": JOB,
        "idempotency_key": "call-7",
        "reference_event_id": reference,
        "tenant": "team",
        "phase": phase,
        "stage": stage,
        "failure": failure,
    }
    return ProgressEvent(**{**given, **changed})


def record(made: ProgressEvent, offset: int, *, partition: int = 0) -> Record:
    """Return the event as the follower reads it."""
    value = made.model_dump_json(exclude_none=True).encode()
    milliseconds = int(made.occurred_at.timestamp() * 1000)
    return Record(TOPIC, partition, offset, made.job_id.encode(), value, (), milliseconds)


def reference() -> AudioReference:
    """Return the job's first reference."""
    return AudioReference(
        event_id="r1", occurred_at=at(-5), uri="s3://audio/a.wav", idempotency_key="call-7", tenant="team"
    )


def accepted(second: float = -5) -> AcceptedJob:
    """Return the job as the gateway accepted it."""
    return AcceptedJob(job_id=JOB, tenant="team", accepted_at=at(second), reference=reference())


def transcript(**changed: Any) -> TranscriptEvent:
    """Return the event of the finished job, at second 50."""
    made = TranscriptEvent.model_validate({**EXAMPLES[TranscriptEvent], "enrich": None, "text": "one two"})
    given = {
        "job_id": JOB,
        "tenant": "team",
        "occurred_at": at(50),
        "reference_event_id": "r1",
        "reference_occurred_at": at(-5),
    }
    return made.model_copy(update={**given, **changed})


def finished(enrich: EnrichOptions | None = None) -> StoredJob:
    """Return the finished job as the bucket has it."""
    return StoredJob(
        job_id=JOB,
        owner=Coordinates("audio.references", 0, 0),
        content_key="c",
        event=transcript(enrich=enrich),
        reference=reference(),
    )


def enrichment() -> StoredEnrichment:
    """Return the job's own enrichment, at second 80."""
    made = EnrichmentEvent.model_validate(EXAMPLES[EnrichmentEvent])
    made = made.model_copy(update={"job_id": JOB, "occurred_at": at(80)})
    owner = Coordinates("audio.transcripts", 0, 0)
    return StoredEnrichment(job_id=JOB, owner=owner, enrich_digest=enrich_digest(SUMMARY), event=made)


def failed(second: float, reason: Reason = Reason.AUDIO_EMPTY, *, digest: str = "d") -> FailedRequest:
    """Return a failed request of the job."""
    owner = Coordinates("audio.references", 0, 0)
    return FailedRequest(
        job_id=JOB, owner=owner, request_digest=digest, reason=reason, message="no", failed_at=at(second)
    )


def failed_enrichment(second: float) -> FailedRequest:
    """Return the failure of the job's own enrichment."""
    digest = request_digest(f"r1.{enrich_digest(SUMMARY)}", at(-5).isoformat())
    return failed(second, Reason.ENRICHMENT_INVALID, digest=digest)
