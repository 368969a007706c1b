"""What a record or an object of the bucket changes in the archive: values, made of events. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.archive.standing import Caller, Request, Standing, Step, StoredFailure, Transcription
from schemas import identity
from schemas.events import (
    AudioReference,
    EnrichmentEvent,
    EnrichmentResult,
    JobEvent,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka.deletions import DeletionEvent
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, DeletedJob, FailedRequest
from schemas.transcripts.transcript import Segment, Transcript, segments_or_whole

PREVIEW_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Requested:
    """A job is requested."""

    job_id: str
    request: Request

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it."""
        return standing.requested(self.request)


@dataclass(frozen=True, slots=True)
class Stepped:
    """A stage reports where a job is."""

    job_id: str
    step: Step

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it."""
        return standing.stepped(self.step)


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A job has a transcript; ``segments`` are what can be searched and read of it."""

    job_id: str
    transcription: Transcription
    segments: Sequence[Segment]

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it."""
        return standing.transcribed(self.transcription)


@dataclass(frozen=True, slots=True)
class Enriched:
    """A job has an enrichment."""

    job_id: str
    enrichment_id: str
    at_ms: int
    model: str
    results: Sequence[EnrichmentResult]

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it."""
        return standing.enriched(self.enrichment_id, self.at_ms)


@dataclass(frozen=True, slots=True)
class Failed:
    """The bucket has a failed request of a job."""

    job_id: str
    digest: str
    failure: StoredFailure

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it."""
        return standing.failed(self.digest, self.failure)


@dataclass(frozen=True, slots=True)
class Deleted:
    """A caller has deleted a job."""

    job_id: str
    at_ms: int
    tenant: str

    def apply(self, standing: Standing) -> Standing:
        """Return the standing with it: the database applies deletions last, whenever they came."""
        return standing


Change = Requested | Stepped | Transcribed | Enriched | Failed | Deleted


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since the epoch."""
    return round(moment.timestamp() * 1_000)


def requested(reference: AudioReference, *, at: datetime | None = None) -> Requested:
    """Return the change of a reference; ``at`` is when it was accepted, if it is known better."""
    key = reference.idempotency_key or identity.reference_key(reference.event_id)
    request = Request(
        at_ms=milliseconds(at or reference.occurred_at),
        event_id=reference.event_id,
        caller=Caller(
            tenant=reference.tenant,
            lane=reference.lane,
            metadata=reference.metadata,
            idempotency_key=key,
        ),
        uri=reference.uri,
        version_id=reference.version_id,
        task=reference.options.task,
    )
    return Requested(identity.job_id(key), request)


def accepted(job: AcceptedJob) -> Requested:
    """Return the change of a job that the gateway accepted."""
    return requested(job.reference, at=job.accepted_at)


def stepped(event: ProgressEvent) -> Stepped:
    """Return the change of a progress event."""
    failure = event.failure
    step = Step(
        at_ms=milliseconds(event.occurred_at),
        event_id=event.event_id,
        stage=event.stage,
        phase=event.phase,
        caller=_caller(event),
        fraction=event.fraction,
        reason=failure.reason if failure else None,
        message=failure.message if failure else None,
    )
    return Stepped(event.job_id, step)


def transcribed(event: TranscriptEvent, transcript: Transcript | None) -> Transcribed:
    """Return the change of a transcript event. Without its body, the text in the event is all there is."""
    text = transcript.text if transcript else event.text or ""
    segments = segments_or_whole(
        transcript.segments if transcript else (),
        text=text,
        audio_duration_seconds=event.audio_duration_seconds,
    )
    spoken = dict.fromkeys(each.language for each in segments if each.language)
    transcription = Transcription(
        at_ms=milliseconds(event.occurred_at),
        event_id=event.event_id,
        requested_at_ms=milliseconds(event.reference_occurred_at or event.occurred_at),
        caller=_caller(event),
        uri=event.source.uri,
        version_id=event.source.version_id,
        status=event.status,
        language=event.language,
        languages=tuple(spoken) or ((event.language,) if event.language else ()),
        model=event.provenance.model,
        task=transcript.task if transcript else None,
        audio_duration_seconds=event.audio_duration_seconds,
        speech_duration_seconds=event.speech_duration_seconds,
        processing_seconds=event.timing.total_seconds,
        flags=tuple(event.flags),
        transcript_uri=event.transcript_uri,
        content_key=_content_key(event.transcript_uri),
        reused=event.reused,
        preview=text.strip()[:PREVIEW_CHARACTERS],
        enrichment_id=_own_enrichment(event.enrich),
    )
    return Transcribed(event.job_id, transcription, segments)


def enriched(event: EnrichmentEvent) -> Enriched:
    """Return the change of an enrichment event that has its outputs."""
    return Enriched(
        event.job_id,
        enrichment_id=_content_key(event.results_uri),
        at_ms=milliseconds(event.occurred_at),
        model=event.model,
        results=event.results,
    )


def failed(request: FailedRequest) -> Failed:
    """Return the change of a stored failure."""
    failure = StoredFailure(
        at_ms=milliseconds(request.failed_at),
        reason=request.reason,
        message=request.message,
        tenant=request.tenant,
    )
    return Failed(request.job_id, request.request_digest, failure)


def deleted(event: DeletionEvent) -> Deleted:
    """Return the change of a deletion."""
    return Deleted(event.job_id, milliseconds(event.occurred_at), event.tenant)


def noted(note: DeletedJob) -> Deleted:
    """Return the change of the bucket's note of a deletion, which knows no tenant."""
    return Deleted(note.job_id, milliseconds(note.deleted_at), "")


def _caller(event: JobEvent) -> Caller:
    return Caller(
        tenant=event.tenant, lane=event.lane, metadata=event.metadata, idempotency_key=event.idempotency_key
    )


def _content_key(uri: str) -> str:
    """Return the last part of an address without its extension."""
    return uri.rsplit("/", 1)[-1].removesuffix(".json")


def _own_enrichment(enrich: EnrichOptions | None) -> str | None:
    return identity.enrich_digest(enrich) if enrich is not None and enrich.has_work else None
