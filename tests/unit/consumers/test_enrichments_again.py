"""What a finished enrichment says to another reference that asks for the same."""

from typing import Final

from consumers.enricher.enrich import enrichment_for
from kascribe.documents.event_examples import EXAMPLES
from schemas.events import EnrichmentEvent, TranscriptEvent

URL: Final = "https://hooks.example/two"


def test_a_reference_that_is_told_elsewhere_has_an_event_of_its_own() -> None:
    """With its correlation and an id of its own; one with the same webhook, or none of both, has none."""
    finished = EnrichmentEvent.model_validate(EXAMPLES[EnrichmentEvent])
    requested = TranscriptEvent.model_validate({**EXAMPLES[TranscriptEvent], "reference_event_id": "second"})
    assert enrichment_for(requested, finished) is None
    again = enrichment_for(requested.model_copy(update={"webhook_url": URL}), finished)
    assert again is not None
    assert (again.webhook_url, again.reference_event_id, again.results) == (URL, "second", finished.results)
    assert again.event_id.startswith(f"{finished.event_id}.")
    assert again.event_id != finished.event_id
