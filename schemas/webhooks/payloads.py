"""What receivers of webhooks read: one message for each final event of a job."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from pydantic import Field
from pydantic_core import from_json

from schemas.errors import InvalidEvent
from schemas.events import EnrichmentEvent, JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka import wire
from schemas.kafka.records import Record
from schemas.moments import Moment
from schemas.transcripts.transcript import Contract


class WebhookType(StrEnum):
    """The type of a message."""

    TRANSCRIPT_COMPLETED = "transcript.completed"
    ENRICHMENT_COMPLETED = "enrichment.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    TEST = "webhook.test"


class WebhookMessage(Contract):
    """The body of a webhook. ``data`` is the event as it is on its topic."""

    type: WebhookType = Field(
        description="``transcript.completed``: data is a TranscriptEvent. ``enrichment.completed``: an "
        "EnrichmentEvent. ``job.failed``, ``job.cancelled``: a ProgressEvent; its stage says whether the "
        "transcript or an enrichment has ended. ``webhook.test``: what `kascribe webhooks test` sends."
    )
    timestamp: Moment = Field(description="When the event occurred; the attempt's is in ``webhook-timestamp``.")
    data: dict[str, Any] = Field(description="The event.")


_ENDS: Final = {Phase.FAILED: WebhookType.JOB_FAILED, Phase.CANCELLED: WebhookType.JOB_CANCELLED}


def kind_of(event: JobEvent) -> WebhookType | None:
    """Return the type of the message about an event; None when receivers are not told of it."""
    if isinstance(event, TranscriptEvent):
        return WebhookType.TRANSCRIPT_COMPLETED
    if isinstance(event, EnrichmentEvent):
        return WebhookType.ENRICHMENT_COMPLETED
    return _ENDS.get(event.phase) if isinstance(event, ProgressEvent) else None


def event_in(record: Record) -> JobEvent:
    """Return the event in a record, by its header ``ce_type``. Raises InvalidEvent."""
    given = (record.header("ce_type") or b"").decode("ascii", "replace")
    kind = _KINDS.get(given)
    if kind is None:
        raise InvalidEvent(f"{record.coordinates} has no event of a job: its header ce_type is {given[:100]!r}")
    return kind(record)


def body_of(kind: WebhookType, event: JobEvent, value: bytes) -> bytes:
    """Return the body about an event whose record has ``value``: equal bytes at every attempt."""
    return body(kind, event.occurred_at.isoformat(), from_json(value))


def body(kind: WebhookType, timestamp: str, data: Any) -> bytes:
    """Return a body, as it is signed and sent."""
    message = {"type": kind.value, "timestamp": timestamp, "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _decoder(kind: type[JobEvent]) -> Callable[[Record], JobEvent]:
    return lambda record: wire.decode(record, kind)


_KINDS: Final = {kind.ce_type: _decoder(kind) for kind in (TranscriptEvent, EnrichmentEvent, ProgressEvent)}
