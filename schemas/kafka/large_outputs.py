"""Size limit of enrichment events: far below the broker's limit, whatever the length of the outputs."""

from schemas.events import INLINE_TEXT_BYTES, EnrichmentEvent


def omit_large_outputs(event: EnrichmentEvent) -> EnrichmentEvent:
    """Return the event, without outputs and citations if they make it too large; ``results_uri`` has them all."""
    if len(event.model_dump_json().encode()) <= INLINE_TEXT_BYTES:
        return event
    return event.model_copy(
        update={"results": tuple(r.model_copy(update={"output": None, "citations": ()}) for r in event.results)}
    )
