"""What the transcript of a finished job says to another reference that wants it enriched."""

from consumers.transcriber.events import transcript_for
from schemas.events import AudioReference
from schemas.options import EnrichOptions
from tests.support.kept import NOW, event_of


def reference(enrich: EnrichOptions | None) -> AudioReference:
    """Another reference for the same content."""
    return AudioReference(
        event_id="second", occurred_at=NOW, uri="s3://audio/a.wav", idempotency_key="k", enrich=enrich
    )


def test_it_is_the_second_reference_s_own() -> None:
    """With its id and its time, by which a cancellation of it is known, and an id that no other event has."""
    first = event_of("j", text="one", name="a.wav").model_copy(update={"shared": True})
    again = transcript_for(reference(EnrichOptions(profiles=("summary",))), first)
    assert again is not None
    assert (again.reference_event_id, again.reference_occurred_at, again.shared) == ("second", NOW, False)
    assert again.event_id.startswith("j.transcript.")
    assert again.event_id != first.event_id
    assert again.text == "one"


def test_who_wants_nothing_of_the_enricher_needs_no_second_transcript() -> None:
    """The job's own says where the result is."""
    assert transcript_for(reference(None), event_of("j")) is None
    assert transcript_for(reference(EnrichOptions()), event_of("j")) is None


def test_a_reference_that_is_told_elsewhere_has_an_event_of_its_own() -> None:
    """It carries that reference's URL, and asks for no enrichment that the reference did not ask for."""
    url = "https://hooks.example/two"
    first = event_of("j").model_copy(update={"enrich": EnrichOptions(profiles=("summary",))})
    told = reference(None).model_copy(update={"webhook_url": url})
    again = transcript_for(told, first)
    assert again is not None
    assert (again.webhook_url, again.reference_event_id) == (url, "second")
    assert again.enrich is not None
    assert not again.enrich.has_work
    same = first.model_copy(update={"webhook_url": url})
    assert transcript_for(told, same) is None, "its receiver has been told"
    assert transcript_for(reference(None), same) is not None, "where the settings say, if anywhere"
