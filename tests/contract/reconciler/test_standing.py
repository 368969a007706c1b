"""When a job still has to be requested, by what is noted of it."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.reconciler.notes import JobNotes, Standing

STORED_AT = datetime(2026, 11, 27, 11, tzinfo=UTC)
BEFORE, AFTER = STORED_AT - timedelta(hours=1), STORED_AT + timedelta(hours=1)


@pytest.mark.parametrize(
    ("notes", "standing"),
    [
        (JobNotes(), Standing.UNKNOWN),
        (JobNotes(finished_at=AFTER), Standing.ENDED),
        (JobNotes(finished_at=BEFORE), Standing.ENDED),
        (JobNotes(failed_at=AFTER), Standing.ENDED),
        (JobNotes(failed_at=BEFORE), Standing.UNKNOWN),
        (JobNotes(deleted_at=STORED_AT), Standing.ENDED),
        (JobNotes(deleted_at=BEFORE), Standing.UNKNOWN),
        (JobNotes(accepted_at=AFTER), Standing.KNOWN),
        (JobNotes(accepted_at=BEFORE), Standing.UNKNOWN),
        (JobNotes(accepted_at=BEFORE, failed_at=AFTER), Standing.ENDED),
    ],
)
def test_a_note_counts_from_the_time_of_the_object(notes: JobNotes, standing: Standing) -> None:
    """The same bytes stored again under the same key are another drop; a result stays one."""
    assert notes.standing(modified_at=STORED_AT, lost_before=None) is standing


def test_an_accepted_job_is_lost_after_a_time() -> None:
    """Only on request, and only if nothing else is known of it."""
    accepted = JobNotes(accepted_at=AFTER)
    later = AFTER + timedelta(seconds=1)
    assert accepted.standing(modified_at=STORED_AT, lost_before=AFTER) is Standing.KNOWN
    assert accepted.standing(modified_at=STORED_AT, lost_before=later) is Standing.UNKNOWN
    failed = JobNotes(accepted_at=AFTER, failed_at=AFTER)
    assert failed.standing(modified_at=STORED_AT, lost_before=later) is Standing.ENDED


def test_a_job_by_default_options_is_trusted_from_the_time_of_the_object() -> None:
    """An object stored since, with the same bytes, may have other options: its metadata tell."""
    assert JobNotes(finished_at=AFTER).are_since(STORED_AT)
    assert not JobNotes(finished_at=BEFORE).are_since(STORED_AT)
