"""A gateway hides jobs from the moment at which it hears of their deletion, however late the archive is."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.archive.answers import JobSummary
from producers.gateway.archive import deletions
from producers.gateway.archive.deletions import RecentDeletions
from producers.gateway.documentation.archive_examples import SUMMARY
from schemas.kafka import wire
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.records import Record
from schemas.kafka.trace import Trace

TOPIC = "audio.deletions"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def job(job_id: str = "j", *, updated_at: datetime = NOW) -> JobSummary:
    """Return a job of a list."""
    return JobSummary.model_validate({**SUMMARY, "job_id": job_id, "updated_at": updated_at})


def deletion(job_id: str = "j", *, at: datetime = NOW) -> DeletionEvent:
    """Return a deletion."""
    return DeletionEvent(event_id="e", occurred_at=at, job_id=job_id, tenant="t")


def record_of(event: DeletionEvent, topic: str = TOPIC) -> Record:
    """Return the record of a deletion."""
    out = wire.encode(event, topic=topic, key=event.job_id, trace=Trace.start())
    return Record(out.topic, 0, 0, out.key, out.value, out.headers)


def test_a_job_that_was_deleted_is_hidden() -> None:
    """Whether this gateway deleted it, or another one; others stay."""
    recent = RecentDeletions(TOPIC)
    recent.add(deletion("here"))
    recent.offer(record_of(deletion("there")))
    assert recent.without([job("here"), job("other"), job("there")]) == [job("other")]


def test_a_job_that_was_requested_again_is_shown() -> None:
    """Also within a second; what happened in the same millisecond was before the deletion."""
    recent = RecentDeletions(TOPIC)
    recent.add(deletion())
    assert recent.has(job(updated_at=NOW))
    assert not recent.has(job(updated_at=NOW + timedelta(milliseconds=2)))


def test_other_records_are_no_deletions() -> None:
    """Neither those of other topics nor those that cannot be read."""
    recent = RecentDeletions(TOPIC)
    recent.offer(record_of(deletion(), topic="audio.progress"))
    recent.offer(Record(TOPIC, 0, 0, b"j", b"no JSON", ()))
    recent.offer(Record(TOPIC, 0, 0, b"j", None, ()))
    assert not recent.has(job())


def test_the_oldest_deletions_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit bounds the memory."""
    monkeypatch.setattr(deletions, "REMEMBERED_DELETIONS", 2)
    recent = RecentDeletions(TOPIC)
    for name in ("a", "b", "a", "c"):
        recent.add(deletion(name))
    assert [recent.has(job(name)) for name in "abc"] == [True, False, True]
