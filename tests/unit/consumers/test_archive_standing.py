"""How a job stands in the archive, by the events that were read in any order."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.archive import changes
from consumers.archive.changes import Change
from consumers.archive.columns import columns_of
from consumers.archive.standing import Standing
from schemas.errors import Reason
from schemas.events import Phase
from schemas.options import EnrichOptions
from schemas.roles import Role
from tests.contract.archive.archive_events import enrichment_event, progress, reference, transcript_event

SUMMARY = EnrichOptions(profiles=("summary",))
EVENTS: tuple[Change, ...] = (
    changes.requested(reference(enrich=SUMMARY)),
    changes.stepped(progress(Phase.ACCEPTED, second=1)),
    changes.stepped(progress(Phase.RETRYING, second=2, reason=Reason.ENGINE_FAILED)),
    changes.stepped(progress(Phase.FAILED, second=3, reason=Reason.ENGINE_FAILED)),
    changes.requested(reference(second=5, enrich=SUMMARY)),
    changes.stepped(progress(Phase.TRANSCRIBING, second=6)),
    changes.transcribed(transcript_event(enrich=SUMMARY, text="words"), None),
    changes.stepped(progress(Phase.COMPLETED, second=10)),
    changes.stepped(progress(Phase.ENRICHING, second=11, stage=Role.ENRICHER)),
    changes.enriched(enrichment_event(SUMMARY)),
    changes.stepped(progress(Phase.COMPLETED, second=20.5, stage=Role.ENRICHER)),
)


def standing_of(events: list[Change], *, start: Standing | None = None) -> Standing:
    """Return the standing after these events."""
    standing = start or Standing()
    for event in events:
        standing = event.apply(standing)
    return standing


@given(st.permutations(EVENTS), st.integers(0, len(EVENTS)))
def test_order_and_repetition_make_no_difference(events: list[Change], again: int) -> None:
    """Whatever was read first, and however often."""
    expected = columns_of(standing_of(list(EVENTS)))
    found = columns_of(standing_of(events + events[:again]))
    assert found == expected
    assert (found["phase"], found["stage"], found["failure_reason"]) == ("completed", "enricher", None)


@given(st.permutations(EVENTS))
def test_a_standing_survives_its_column(events: list[Change]) -> None:
    """What is stored between two batches reads back as it was."""
    half = standing_of(events[:5])
    stored = Standing.model_validate_json(half.model_dump_json(exclude_defaults=True))
    assert stored == half
    assert columns_of(standing_of(events[5:], start=stored)) == columns_of(standing_of(events))


@given(st.permutations(EVENTS), st.integers(0, len(EVENTS)))
def test_what_happened_before_a_deletion_is_gone(events: list[Change], count: int) -> None:
    """Also when some of it arrives after it."""
    last_ms = max(
        (*standing_of(events).enrichments.values(), *(step.at_ms for step in standing_of(events).ended.values()))
    )
    early = standing_of(events[:count]).after_deletion(last_ms)
    assert early.is_empty
    assert standing_of(events[count:], start=early).after_deletion(last_ms).is_empty


def test_a_job_shows_each_phase_as_it_goes() -> None:
    """From the request to its end, as ``GET /v1/jobs/{id}`` shows it."""
    shown = [columns_of(standing_of(list(EVENTS[:count])))["phase"] for count in range(1, len(EVENTS) + 1)]
    expected = "accepted accepted retrying failed accepted transcribing enriching enriching enriching completed"
    assert shown == [*expected.split(), "completed"]
