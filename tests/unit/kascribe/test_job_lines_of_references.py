"""Whose failure ends the wait for a job that several references asked for."""

import pytest

from kascribe.console.job_lines import Tracker
from schemas.errors import Reason
from schemas.events import Failure, Phase, ProgressEvent
from tests.support.kept import NOW


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
@pytest.mark.parametrize(("reference", "ends"), [("ours", True), (None, True), ("anothers", False)])
def test_only_our_own_reference_ends_the_wait(phase: Phase, reference: str | None, *, ends: bool) -> None:
    """What another client's did not bring about is done for ours; older workers name no reference."""
    failure = Failure(reason=Reason.AUDIO_NOT_FOUND, message="why", attempt=1) if phase is Phase.FAILED else None
    event = ProgressEvent(
        event_id="e",
        occurred_at=NOW,
        job_id="j",
        reference_event_id=reference,
        phase=phase,
        stage="transcriber",
        failure=failure,
    )
    tracker = Tracker({"j"}, enriched=False, references=frozenset({"ours"}))
    assert tracker.take(event) is ends
    assert (tracker.failed, tracker.open) == (({"j"}, set()) if ends else (set(), {"j"}))
