"""Requests to enrich a finished transcript again: transcript events on a topic of their own."""

from datetime import datetime

from schemas.events import TranscriptEvent
from schemas.options import EnrichOptions, Lane


def enrich_request(
    event: TranscriptEvent, options: EnrichOptions, *, request_id: str, now: datetime
) -> TranscriptEvent:
    """Return the request to enrich the transcript of an event with these options, on the bulk lane.

    It has an identity of its own: each request gets its own end, and earlier cancellations do not end it.
    """
    own = {"event_id": request_id, "occurred_at": now}
    reference = {"reference_event_id": request_id, "reference_occurred_at": now, "shared": False}
    # The enricher reads the words from the bucket.
    return event.model_copy(update={**own, **reference, "lane": Lane.BULK, "text": None, "enrich": options})
