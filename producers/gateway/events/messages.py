"""What event streams send: one message for each progress event, and one that says why a stream was cut off."""

from typing import Final, Self

from pydantic import Field

from producers.gateway.events.sse import Message
from producers.gateway.events.state import JobFailure, JobState
from schemas.events import Phase, ProgressEvent
from schemas.moments import Moment
from schemas.options import Lane
from schemas.roles import Role
from schemas.transcripts.transcript import Contract

CUT_OFF: Final = "cut_off"


class JobLinks(Contract):
    """Paths of a job's resources."""

    self: str = Field(description="How the job stands.")
    events: str = Field(description="Its events, as they come.")
    transcript: str | None = Field(default=None, description="Its transcript, once there is one.")
    enrichments: str | None = Field(default=None, description="Its enrichments, once it is transcribed.")

    @classmethod
    def of(cls, job_id: str, *, has_transcript: bool) -> Self:
        """Return the paths of a job."""
        path = f"/v1/jobs/{job_id}"
        results = {"transcript": f"{path}/transcript", "enrichments": f"{path}/enrichments"}
        return cls(self=path, events=f"{path}/events", **(results if has_transcript else {}))


class StreamedJobEvent(Contract):
    """The data of an event: one JSON object on one line."""

    event_id: str = Field(description="Unique per event; a repetition of a last event has the same one.")
    occurred_at: Moment = Field(description="When the event happened.")
    job_id: str = Field(description="The job, for `/v1/jobs`.")
    idempotency_key: str | None = Field(default=None, description="The key from which the job_id is derived.")
    reference_event_id: str | None = Field(default=None, description="The request that the event answers.")
    tenant: str = Field(description="The tenant that the job belongs to.")
    lane: Lane = Field(description="Whether a person waits for the job.")
    metadata: dict[str, str] = Field(default_factory=dict, description="The caller's.")
    phase: Phase = Field(description="The event's name, too.")
    stage: str = Field(description="The stage that reports it: transcriber or enricher.")
    fraction: float | None = Field(default=None, ge=0, le=1, description="Share of the audio that is processed.")
    text: str | None = Field(default=None, description="Text since the last event.")
    text_offset: int | None = Field(
        default=None,
        ge=0,
        description="Characters of the transcript's text before this text: with a gap, an event is missing.",
    )
    failure: JobFailure | None = Field(default=None, description="With failed and retrying: why.")
    result_uri: str | None = Field(default=None, description="With completed: where the result is in the bucket.")
    links: JobLinks = Field(description="Paths of the job's parts.")


class CutOffNotice(Contract):
    """The data of the last event of a stream that ends before its job does."""

    reason: str = Field(
        description="slow_reader: events came faster than they were read. cursor_gone: retention deleted events "
        "that were not sent yet. history_unavailable: past events cannot be read now. crowded: too many streams."
    )
    message: str = Field(description="What to do about it.")


_CUT_OFF_TEXTS: Final = {
    "slow_reader": "events came faster than they were read: connect again with Last-Event-ID to get the rest",
    "cursor_gone": "events that were not sent yet are deleted: read the jobs, and connect without Last-Event-ID",
    "crowded": "too many event streams are open here: connect again with Last-Event-ID to get the rest",
    "history_unavailable": "past events cannot be read now: connect again with Last-Event-ID to get the rest",
}


def message_of(event: ProgressEvent, cursor: str) -> Message:
    """Return the message of an event."""
    failure = event.failure
    data = StreamedJobEvent(
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        **event.correlation(),
        phase=event.phase,
        stage=event.stage,
        fraction=event.fraction,
        text=event.text,
        text_offset=event.text_offset,
        failure=JobFailure(reason=failure.reason, message=failure.message, attempt=failure.attempt)
        if failure
        else None,
        result_uri=event.result_uri,
        links=JobLinks.of(event.job_id, has_transcript=_has_transcript(event)),
    )
    return Message(data.model_dump_json(exclude_none=True), event.phase, cursor)


def last_message_of(state: JobState, cursor: str) -> Message:
    """Return a message about the end of a job with events that are not in the topic any more."""
    data = StreamedJobEvent(
        event_id=f"{state.job_id}.{state.phase}",
        occurred_at=state.updated_at,
        job_id=state.job_id,
        idempotency_key=state.idempotency_key,
        tenant=state.tenant,
        lane=Lane.BULK,
        metadata=state.metadata,
        phase=state.phase,
        stage=state.stage,
        fraction=state.fraction,
        failure=state.failure,
        result_uri=state.enrichment_uri or state.transcript_uri,
        links=JobLinks.of(state.job_id, has_transcript=state.has_transcript),
    )
    return Message(data.model_dump_json(exclude_none=True), state.phase, cursor)


def cut_off(reason: str) -> Message:
    """Return the last message of a stream that its client may resume. It has no id: the last one stays valid."""
    data = CutOffNotice(reason=reason, message=_CUT_OFF_TEXTS[reason])
    return Message(data.model_dump_json(), CUT_OFF)


def _has_transcript(event: ProgressEvent) -> bool:
    return event.stage == Role.ENRICHER or event.phase is Phase.COMPLETED
