"""Size limit of enrichment events: far below the broker's limit, whatever the length of the outputs."""

from typing import Final

from schemas.events import INLINE_TEXT_BYTES, EnrichmentEvent, EnrichmentResult

DOUBTS_KEPT: Final = 4
"""Doubts per result that stay in an event without outputs: whether there are any is worth knowing at once."""


def omit_large_outputs(event: EnrichmentEvent) -> EnrichmentEvent:
    """Return the event, without outputs, citations and most doubts if they make it too large.

    ``results_uri`` has them all.
    """
    if len(event.model_dump_json().encode()) <= INLINE_TEXT_BYTES:
        return event
    return event.model_copy(update={"results": tuple(map(_without_output, event.results))})


def _without_output(result: EnrichmentResult) -> EnrichmentResult:
    return result.model_copy(update={"output": None, "citations": (), "doubts": result.doubts[:DOUBTS_KEPT]})
