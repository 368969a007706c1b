"""How a job stands: one model, and the one function that decides it from everything that is known. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Field

from producers.gateway.events.progress import SKEW, JobProgress
from schemas import identity
from schemas.errors import Reason
from schemas.events import FINAL_PHASES, Phase, ProgressEvent, TranscriptEvent
from schemas.moments import Moment
from schemas.options import EnrichOptions
from schemas.results import AcceptedJob, DeletedJob, FailedRequest, StoredEnrichment, StoredJob
from schemas.roles import Role
from schemas.transcripts.transcript import Contract

UNKNOWN_TENANT: Final = ""
"""Of a job of which only its failure is stored, by an older release: no key sees it."""


class JobFailure(Contract):
    """Why a job failed, or why its last attempt did."""

    reason: Reason = Field(description="One word of docs/reasons.md.")
    message: str = Field(description="What went wrong.")
    attempt: int | None = Field(default=None, description="Counts from 1; None where no event tells it any more.")


class JobState(Contract):
    """How a job stands."""

    job_id: str = Field(description="32 hexadecimal digits, derived from the key.")
    idempotency_key: str | None = Field(default=None, description="The key from which the job_id is derived.")
    tenant: str = Field(description="The tenant that the job belongs to.")
    metadata: dict[str, str] = Field(default_factory=dict, description="The caller's, as the reference has it.")
    phase: Phase = Field(
        description="accepted: waits for a transcriber. completed, failed and cancelled are final, unless the job "
        "is requested again."
    )
    stage: str = Field(description="The stage that the phase belongs to: transcriber or enricher.")
    fraction: float | None = Field(
        default=None, ge=0, le=1, description="Share of the audio that is processed; 1 with the transcript."
    )
    text: str | None = Field(
        default=None,
        description="With a transcript: its text, None when longer than 65,536 bytes. Before: the text so far, "
        "best effort.",
    )
    language: str | None = Field(default=None, description="The transcript's.")
    failure: JobFailure | None = Field(
        default=None, description="With failed: why. With retrying: why the last attempt failed."
    )
    accepted_at: Moment | None = Field(
        default=None, description="When the gateway accepted the job, else the time of its first known event."
    )
    updated_at: Moment = Field(description="When the job came to stand as it does.")
    transcribed_at: Moment | None = Field(default=None, description="When the transcript was finished.")
    transcript_uri: str | None = Field(default=None, description="Address of the transcript, once there is one.")
    enrich: EnrichOptions | None = Field(default=None, description="The enrichment that the job requests.")
    enrichment_uri: str | None = Field(default=None, description="Address of that enrichment, once there is one.")

    @property
    def is_final(self) -> bool:
        """Whether the job has ended: no further event comes unless it is requested again."""
        return self.phase in FINAL_PHASES

    @property
    def has_transcript(self) -> bool:
        """Whether the job is transcribed."""
        return self.transcript_uri is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownJob:
    """Everything that is known of one job: objects of the bucket, and the events of the topics."""

    accepted: AcceptedJob | None = None
    finished: StoredJob | None = None
    enrichment: StoredEnrichment | None = None
    failures: Sequence[FailedRequest] = ()
    deleted: DeletedJob | None = None
    progress: JobProgress | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the stage that decides stands, and since when."""

    phase: Phase
    stage: str
    at: datetime
    fraction: float | None = None
    failure: JobFailure | None = None


def job_state(job_id: str, known: KnownJob) -> JobState | None:
    """Return how a job stands; None when nothing is known of it.

    ====================================================  ======================================================
    known                                                 the job
    ====================================================  ======================================================
    a finished transcript that is being enriched          as the enricher's last event says, else enriching
    a finished transcript, otherwise                      completed; its own enrichment failed or was cancelled: so
    no transcript, accepted after the last event ended    accepted
    no transcript, a failure after the last event         failed
    no transcript, the transcriber's last event COMPLETED deleted: as if nothing were known
    no transcript, deleted after the last event           deleted: as if nothing were known
    no transcript, events                                 as the last event says that concerns the whole job
    no transcript, no events, accepted                    accepted
    ====================================================  ======================================================
    """
    if known.finished is not None:
        return _of_finished(job_id, known.finished, known)
    standing = _transcribing(known)
    if standing is None:
        return None
    progress, accepted = known.progress, known.accepted
    event = _deciding(progress)
    request = accepted.reference if accepted else event
    first_at = progress.first_at if progress else None
    return JobState(
        job_id=job_id,
        idempotency_key=request.idempotency_key if request else None,
        tenant=request.tenant if request else _failed_tenant(known.failures),
        metadata=request.metadata if request else {},
        phase=standing.phase,
        stage=standing.stage,
        fraction=standing.fraction,
        # Events from before the job was requested again are of an earlier attempt.
        text=(progress.text or None) if progress and standing.phase is not Phase.ACCEPTED else None,
        failure=standing.failure,
        accepted_at=accepted.accepted_at if accepted else first_at,
        updated_at=standing.at,
        enrich=accepted.reference.enrich if accepted else None,
    )


def requests_enrichment(event: TranscriptEvent) -> bool:
    """Return whether a job requests an enrichment by itself. The enricher's own defaults do not count."""
    return event.enrich is not None and event.enrich.has_work


def _transcribing(known: KnownJob) -> _Standing | None:
    """Return how a job without a transcript stands."""
    event = _deciding(known.progress)
    failed = _latest_failure(known.failures)
    ends = [each for each in (failed.failed_at if failed else None, _ended_at(event)) if each is not None]
    accepted = known.accepted
    if accepted and (accepted.accepted_at > max(ends) if ends else event is None):
        return _Standing(Phase.ACCEPTED, Role.TRANSCRIBER, accepted.accepted_at)
    if failed and (event is None or failed.failed_at > event.occurred_at):
        return _failed(failed, Role.TRANSCRIBER)
    if event is None or event.phase is Phase.COMPLETED or _is_before(event, known.deleted):
        return None
    return _as_reported(event)


def _is_before(event: ProgressEvent, deleted: DeletedJob | None) -> bool:
    """Return whether an event is of a job before it was deleted, which stays in the topic."""
    return deleted is not None and event.occurred_at <= deleted.deleted_at + SKEW


def _deciding(progress: JobProgress | None) -> ProgressEvent | None:
    if progress is None:
        return None
    return progress.transcriber or progress.latest


def _ended_at(event: ProgressEvent | None) -> datetime | None:
    return event.occurred_at if event is not None and event.phase in FINAL_PHASES else None


def _of_finished(job_id: str, finished: StoredJob, known: KnownJob) -> JobState:
    transcript, enrichment = finished.event, known.enrichment
    standing = _enriching(transcript, known)
    return JobState(
        job_id=job_id,
        idempotency_key=transcript.idempotency_key,
        tenant=transcript.tenant,
        metadata=transcript.metadata,
        phase=standing.phase,
        stage=standing.stage,
        fraction=1.0,
        text=transcript.text,
        language=transcript.language,
        failure=standing.failure,
        accepted_at=_accepted_at(known),
        updated_at=standing.at,
        transcribed_at=transcript.occurred_at,
        transcript_uri=transcript.transcript_uri,
        enrich=transcript.enrich,
        enrichment_uri=enrichment.event.results_uri if enrichment else None,
    )


def _enriching(transcript: TranscriptEvent, known: KnownJob) -> _Standing:
    """Return how a job with a transcript stands: as its enrichment does, if there is one."""
    event = known.progress.enricher if known.progress else None
    if event is not None and event.phase not in FINAL_PHASES:
        return _as_reported(event)
    if known.enrichment is not None:
        return _Standing(Phase.COMPLETED, Role.ENRICHER, known.enrichment.event.occurred_at)
    if not requests_enrichment(transcript):
        return _Standing(Phase.COMPLETED, Role.TRANSCRIBER, transcript.occurred_at)
    if event is not None and event.phase is not Phase.COMPLETED:
        return _as_reported(event)
    failed = _enrichment_failure(transcript, known)
    if failed is not None:
        return _failed(failed, Role.ENRICHER)
    return _Standing(Phase.ENRICHING, Role.ENRICHER, transcript.occurred_at)


def has_enrichment_ended(transcript: TranscriptEvent, known: KnownJob) -> bool:
    """Return whether the bucket says that the job's own enrichment is there, or has failed."""
    return known.enrichment is not None or _enrichment_failure(transcript, known) is not None


def _enrichment_failure(transcript: TranscriptEvent, known: KnownJob) -> FailedRequest | None:
    """Return the failure of the job's own enrichment, under the digest with which the enricher stores it."""
    event_id = f"{transcript.reference_event_id}.{identity.enrich_digest(transcript.enrich or EnrichOptions())}"
    requested_at = transcript.reference_occurred_at or transcript.occurred_at
    digest = identity.request_digest(event_id, requested_at.isoformat())
    return next((failed for failed in known.failures if failed.request_digest == digest), None)


def _latest_failure(failures: Sequence[FailedRequest]) -> FailedRequest | None:
    """Return the last failure; that of a reused key only if there is no other: it is no failure of the job."""
    return max(failures, key=lambda each: (each.reason is not Reason.KEY_REUSED, each.failed_at), default=None)


def _as_reported(event: ProgressEvent) -> _Standing:
    why = event.failure
    failure = JobFailure(reason=why.reason, message=why.message, attempt=why.attempt) if why else None
    return _Standing(event.phase, event.stage, event.occurred_at, event.fraction, failure)


def _failed(failed: FailedRequest, stage: str) -> _Standing:
    failure = JobFailure(reason=failed.reason, message=failed.message)
    return _Standing(Phase.FAILED, stage, failed.failed_at, failure=failure)


def _accepted_at(known: KnownJob) -> datetime | None:
    if known.accepted is not None:
        return known.accepted.accepted_at
    finished_for = known.finished.reference if known.finished else None
    if finished_for is not None:
        return finished_for.occurred_at
    return known.progress.first_at if known.progress else None


def _failed_tenant(failures: Sequence[FailedRequest]) -> str:
    failed = _latest_failure(failures)
    return (failed.tenant if failed else None) or UNKNOWN_TENANT
