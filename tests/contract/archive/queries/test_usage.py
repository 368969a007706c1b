"""Usage is summed up by tenant, day and model."""

from producers.archive.filters import JobFilter, UsageKey
from producers.archive.reads import ArchiveReads
from schemas.errors import Reason
from tests.contract.archive.queries.recordings import TENANT, Shelf, ms

DAY_SECONDS = 86_400


def test_sums_are_those_of_the_jobs(shelf: Shelf, reads: ArchiveReads) -> None:
    """Of one tenant, or of all where none is named; failed jobs count, and add no seconds."""
    shelf.add("one", "words")
    shelf.fail("two", Reason.AUDIO_EMPTY)
    shelf.add("theirs", "words", tenant="other", audio_duration_seconds=100.0)
    (ours,) = reads.usage(UsageKey.TENANT, JobFilter(tenant=TENANT))
    assert (ours.key, ours.jobs, ours.failed) == (TENANT, 2, 1)
    assert (ours.audio_seconds, ours.speech_seconds, ours.processing_seconds) == (9.0, 8.0, 1.5)
    everyone = reads.usage(UsageKey.TENANT, JobFilter(tenant=None))
    assert [(row.key, row.audio_seconds) for row in everyone] == [("other", 100.0), (TENANT, 9.0)]
    by_model = reads.usage(UsageKey.MODEL, JobFilter(tenant=TENANT))
    assert [(row.jobs, row.key is None) for row in by_model] == [(1, False), (1, True)]


def test_days_are_those_of_utc_newest_first(shelf: Shelf, reads: ArchiveReads) -> None:
    """Nine o'clock of the first day, and midnight of the next."""
    shelf.add("first", "words")
    shelf.second = DAY_SECONDS - 9 * 3_600 - 1
    shelf.add("second", "words")
    rows = reads.usage(UsageKey.DAY, JobFilter(tenant=TENANT))
    assert [(row.key, row.jobs) for row in rows] == [("2026-11-23", 1), ("2026-11-22", 1)]
    since = JobFilter(tenant=TENANT, from_ms=ms(60))
    assert [row.key for row in reads.usage(UsageKey.DAY, since)] == ["2026-11-23"]
    assert reads.usage(UsageKey.DAY, JobFilter(tenant=TENANT, to_ms=ms(0))) == []
