"""The result of one submitted source as a line of JSON."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.errors import Reason
from schemas.events import EnrichmentEvent, JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.reasons import REASON_TEXTS

if TYPE_CHECKING:
    from kascribe.submission.sending import Sent


class FailureRow(BaseModel):
    """Why there is no result, and what to do about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str | None
    message: str
    remedy: str | None

    @classmethod
    def of(cls, reason: Reason | None, message: str) -> "FailureRow":
        """Return the row of a failure; the remedy is that of its reason."""
        remedy = REASON_TEXTS[reason].remedy if reason else None
        return cls(reason=reason.value if reason else None, message=message, remedy=remedy)


class JobRow(BaseModel):
    """One source and its job. ``status`` is ``submitted`` while it is not known how the job ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    job_id: str | None = None
    status: Literal["submitted", "completed", "no_speech", "failed", "cancelled", "not_submitted"]
    was_finished: bool = False
    uri: str | None = None
    language: str | None = None
    audio_duration_seconds: float | None = None
    text: str | None = None
    transcript_uri: str | None = None
    flags: tuple[str, ...] = ()
    enrichments: tuple[dict[str, Any], ...] = ()
    failure: FailureRow | None = None


def job_row(sent: "Sent", events: list[JobEvent]) -> JobRow:
    """Return the row of a source from the events of its job, in their order."""
    uri = sent.job.uri if sent.job else None
    row = JobRow(
        name=sent.source.name, source=sent.source.location, status="submitted", job_id=sent.job_id, uri=uri
    )
    if sent.problem:
        failure = FailureRow.of(sent.reason, sent.problem)
        return row.model_copy(update={"status": "not_submitted", "failure": failure})
    row = row.model_copy(update={"was_finished": bool(sent.past)})
    for event in (*sent.past, *events):
        row = row.model_copy(update=_fields(event))
    return row


def _fields(event: JobEvent) -> dict[str, Any]:
    if isinstance(event, TranscriptEvent):
        return {
            "status": event.status.value,
            "uri": event.source.uri,
            "language": event.language,
            "audio_duration_seconds": event.audio_duration_seconds,
            "text": event.text,
            "transcript_uri": event.transcript_uri,
            "flags": tuple(flag.value for flag in event.flags),
        }
    if isinstance(event, EnrichmentEvent):
        return {"enrichments": tuple(result.model_dump(mode="json") for result in event.results)}
    if isinstance(event, ProgressEvent) and event.phase in (Phase.FAILED, Phase.CANCELLED):
        failure = FailureRow.of(event.failure.reason, event.failure.message) if event.failure else None
        return {"status": event.phase.value, "failure": failure}
    return {}
