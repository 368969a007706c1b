"""Folding the progress events of one job."""

import pytest

from producers.gateway.events.progress import JobProgress, add_event, fold, precede
from schemas.errors import Reason
from schemas.events import Phase, ProgressEvent
from tests.unit.producers.events.job_events import at, event

ACCEPTED = event(Phase.ACCEPTED, 0)
ONE = event(Phase.TRANSCRIBING, 1, text="one", fraction=0.5)
TWO = event(Phase.TRANSCRIBING, 2, text="two", fraction=1.0)
COMPLETED = event(Phase.COMPLETED, 3)
CANCELLED = event(Phase.CANCELLED, 3)
ENRICHING = event(Phase.ENRICHING, 4, stage="enricher")


def folded(*events: ProgressEvent) -> JobProgress:
    """Return the progress that these events tell."""
    progress = fold(events)
    assert progress is not None
    return progress


def test_texts_are_joined_and_the_latest_fraction_counts() -> None:
    """A reader sees one text, as far as the job is."""
    progress = folded(ACCEPTED, ONE, TWO)
    assert (progress.text, progress.is_whole, progress.first_at) == ("one two", True, at(0))
    assert progress.transcriber is not None
    assert progress.transcriber.fraction == 1.0


@pytest.mark.parametrize(
    "again",
    [event(Phase.RETRYING, 2, reason=Reason.ENGINE_FAILED), event(Phase.ACCEPTED, 2, reference="r2")],
    ids=["another attempt", "another request"],
)
def test_the_text_of_an_attempt_that_is_over_is_dropped(again: ProgressEvent) -> None:
    """The next attempt begins with the first word."""
    assert folded(ACCEPTED, ONE, again).text == ""
    assert folded(ACCEPTED, ONE, again, event(Phase.TRANSCRIBING, 3, text="one")).text == "one"


def test_text_that_begins_at_zero_needs_no_earlier_event() -> None:
    """Where the event about the beginning was lost, the first text shows that nothing is missing."""
    progress = folded(event(Phase.TRANSCRIBING, 1, text="one", text_offset=0))
    assert (progress.text, progress.is_whole) == ("one", True)
    assert not folded(event(Phase.TRANSCRIBING, 1, text="two", text_offset=4)).is_whole


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ((ACCEPTED, event(Phase.CANCELLED, 1, reference="r2")), Phase.ACCEPTED),
        ((ACCEPTED, event(Phase.FAILED, 1, reference="r2", reason=Reason.KEY_REUSED)), Phase.ACCEPTED),
        ((COMPLETED, event(Phase.FAILED, 4, reference="r2", reason=Reason.KEY_REUSED)), Phase.COMPLETED),
        ((event(Phase.FAILED, 0, reference="r2", reason=Reason.KEY_REUSED), ONE), Phase.TRANSCRIBING),
        ((COMPLETED, TWO), Phase.COMPLETED),
        ((CANCELLED, event(Phase.ACCEPTED, 4, reference="r2")), Phase.ACCEPTED),
        ((CANCELLED, event(Phase.ACCEPTED, 4)), Phase.ACCEPTED),
        ((CANCELLED, event(Phase.COMPLETED, 4, reference="r2")), Phase.COMPLETED),
        ((ACCEPTED, CANCELLED), Phase.CANCELLED),
        ((COMPLETED, ENRICHING), Phase.COMPLETED),
    ],
    ids=[
        "another reference was cancelled",
        "another reference reused the key",
        "a finished job's key was reused",
        "only a reused key was known",
        "an interim event was overtaken by the end",
        "cancelled, and requested again",
        "redelivered after its end",
        "another reference completed it",
        "cancelled",
        "the enricher goes on",
    ],
)
def test_the_event_that_concerns_the_whole_job_decides(events: tuple[ProgressEvent, ...], phase: Phase) -> None:
    """One reference may end while the job goes on for another, and late events change nothing."""
    transcriber = folded(*events).transcriber
    assert transcriber is not None
    assert transcriber.phase is phase


def test_two_parts_give_the_same_as_the_whole() -> None:
    """What the board lacked is read from the topic and put before what it had, wherever the cut is."""
    events = (ACCEPTED, ONE, event(Phase.RETRYING, 2, reason=Reason.ENGINE_FAILED), ACCEPTED, ONE, TWO, COMPLETED)
    whole = folded(*events)
    for cut in range(len(events) + 1):
        joined = precede(fold(events[:cut]), fold(events[cut:]))
        assert joined is not None
        assert (joined.text, joined.last, joined.first_at) == (whole.text, whole.last, whole.first_at)
        assert joined.is_whole


def test_the_text_of_one_job_is_bounded() -> None:
    """A job that never ends does not fill the memory."""
    progress: JobProgress | None = None
    for second in range(3):
        progress = add_event(progress, event(Phase.TRANSCRIBING, second, text="x" * 600_000))
    assert progress is not None
    assert len(progress.text) == 1_000_000
