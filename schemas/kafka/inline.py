"""Size limit of enrichment events: far below the broker's limit, however much the model wrote."""

from schemas.events import INLINE_TEXT_BYTES, EnrichmentEvent


def inline(event: EnrichmentEvent) -> EnrichmentEvent:
    """Return the event for its topic: without its outputs when they are large. ``results_uri`` has them all."""
    if len(event.model_dump_json().encode()) <= INLINE_TEXT_BYTES:
        return event
    return event.model_copy(
        update={"results": tuple(r.model_copy(update={"output": None, "citations": ()}) for r in event.results)}
    )
