"""What the transcriber remembers of what the gateway withdrew."""

from datetime import UTC, datetime, timedelta

from consumers.cancellations import WITHDRAWN_LIMIT, Withdrawn
from schemas.events import CancellationEvent
from schemas.records import Record
from schemas.topics import Topics

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def cancelled(*references: str, job: str = "j") -> Record:
    """A record of the cancellations topic."""
    event = CancellationEvent(event_id="c", occurred_at=NOW, job_id=job, reference_event_ids=references)
    return Record(Topics().cancellations, 0, 0, job.encode(), event.model_dump_json().encode())


def test_a_reference_is_withdrawn_and_another_for_the_same_job_is_not() -> None:
    """Whenever the other one was asked: before, or after, or at another replica."""
    withdrawn = Withdrawn()
    withdrawn.take(cancelled("a", "b"))
    assert withdrawn.includes("j", asked_at=LATER, event_id="a")
    assert withdrawn.includes("j", asked_at=LATER, event_id="b")
    assert not withdrawn.includes("j", asked_at=NOW - timedelta(hours=1), event_id="c")


def test_a_job_is_withdrawn_for_all_who_asked_before() -> None:
    """A cancellation that names no reference; who asks later wants the job."""
    withdrawn = Withdrawn()
    withdrawn.take(cancelled())
    assert withdrawn.includes("j", asked_at=NOW, event_id="a")
    assert not withdrawn.includes("j", asked_at=LATER, event_id="a")
    assert not withdrawn.includes("other", asked_at=NOW, event_id="a")


def test_what_is_remembered_is_bounded_and_what_is_no_cancellation_is_passed_by() -> None:
    """The oldest is forgotten, which costs work and never a result."""
    withdrawn = Withdrawn()
    withdrawn.take(Record(Topics().cancellations, 0, 0, b"j", b"no event"))
    for number in range(WITHDRAWN_LIMIT + 1):
        withdrawn.take(cancelled(str(number)))
    assert not withdrawn.includes("j", asked_at=LATER, event_id="0")
    assert withdrawn.includes("j", asked_at=LATER, event_id="1")
