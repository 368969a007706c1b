"""Jobs are listed newest first, in pages, as the filters say."""

import unicodedata
from typing import Any

import pytest

from producers.archive.cursors import CursorInvalid
from producers.archive.filters import JobFilter
from producers.archive.reads import ArchiveReads
from schemas.errors import Reason
from schemas.events import Phase
from tests.contract.archive.queries.recordings import TENANT, Shelf, found, listed, ms, names

MINE = JobFilter(tenant=TENANT)


def test_pages_have_every_job_once_newest_first(shelf: Shelf, reads: ArchiveReads) -> None:
    """Also when jobs are added and deleted between two pages; the last page has no cursor."""
    for number in range(7):
        shelf.add(f"call-{number}", "words")
    first = reads.jobs(MINE, limit=3)
    assert names(first) == ["call-6", "call-5", "call-4"]
    shelf.add("later", "words")
    shelf.delete("call-4")
    second = reads.jobs(MINE, limit=3, cursor=first.next)
    assert names(second) == ["call-3", "call-2", "call-1"]
    last = reads.jobs(MINE, limit=3, cursor=second.next)
    assert (names(last), last.next) == (["call-0"], None)
    assert names(reads.jobs(MINE, limit=7)) == ["later", *(f"call-{number}" for number in (6, 5, 3, 2, 1, 0))]
    assert reads.jobs(MINE, limit=7).next is None


def test_filters_narrow_a_list(shelf: Shelf, reads: ArchiveReads) -> None:
    """By phase, status, language, model, name and time; together all of them count."""
    shelf.add("one", "words", language="ko")
    shelf.fail("two", Reason.AUDIO_EMPTY)
    shelf.add("three", language="ko", status="no_speech")
    shelf.add("four", "words")
    assert listed(reads, phase=Phase.FAILED) == ["two"]
    assert listed(reads, phase=Phase.COMPLETED) == ["four", "three", "one"]
    assert listed(reads, status="no_speech") == ["three"]
    assert listed(reads, language="ko") == ["three", "one"]
    assert listed(reads, language="ko", status="completed") == ["one"]
    assert listed(reads, name="O") == ["four", "two", "one"]
    assert listed(reads, name="_") == listed(reads, name="%") == []
    assert listed(reads, model="other") == []
    assert listed(reads, from_ms=ms(2), to_ms=ms(4)) == ["three", "two"]
    model = reads.jobs(MINE, limit=1).jobs[0].model
    assert listed(reads, model=model) == ["four", "three", "one"]


def test_a_name_is_found_however_its_letters_are_composed(shelf: Shelf, reads: ArchiveReads) -> None:
    """File names of macOS have letters and marks apart."""
    shelf.add(unicodedata.normalize("NFD", "회의"), "words")
    assert listed(reads, name="회의") == [unicodedata.normalize("NFD", "회의")]


def test_a_summary_says_what_lists_show(shelf: Shelf, reads: ArchiveReads) -> None:
    """The transcript's beginning and times, and of a failure what to do."""
    shelf.fail("bad", Reason.AUDIO_EMPTY)
    shelf.add("good", "one two", "three", metadata={"case": "7"})
    good, bad = reads.jobs(MINE, limit=2).jobs
    assert (good.phase, good.status, good.language, good.fraction) == (Phase.COMPLETED, "completed", "en", 1.0)
    assert (good.text_preview, good.metadata, good.failure) == ("one two three", {"case": "7"}, None)
    assert good.audio_duration_seconds == 9.0
    assert good.finished_at is not None
    assert (good.finished_at - good.created_at).total_seconds() == 0.5
    assert (bad.phase, bad.status, bad.text_preview, bad.metadata) == (Phase.FAILED, None, None, {"case": "7"})
    assert bad.failure is not None
    assert (bad.failure.reason, bad.failure.message) == ("audio_empty", "no samples")
    assert bad.failure.remedy == "Upload the file again."


def test_a_list_is_of_one_tenant(shelf: Shelf, reads: ArchiveReads) -> None:
    """Under every filter; without a tenant all are listed."""
    shelf.add("ours", "words")
    shelf.add("theirs", "words", tenant="other")
    shelf.fail("their-failure", Reason.AUDIO_EMPTY, tenant="other")
    assert listed(reads) == listed(reads, language="en") == listed(reads, phase=Phase.COMPLETED) == ["ours"]
    assert listed(reads, phase=Phase.FAILED) == listed(reads, name="their") == []
    assert listed(reads, tenant="other") == ["their-failure", "theirs"]
    assert listed(reads, tenant=None) == ["their-failure", "theirs", "ours"]
    assert listed(reads, tenant="nobody") == []


def test_a_cursor_is_of_one_list(shelf: Shelf, reads: ArchiveReads) -> None:
    """That of another tenant, or of other filters, is refused as any other text is."""
    for number in range(3):
        shelf.add(f"call-{number}", "words")
    cursor = reads.jobs(MINE, limit=1).next
    assert cursor is not None
    assert names(reads.jobs(MINE, limit=1, cursor=cursor)) == ["call-1"]
    for asked in (JobFilter(tenant="other"), JobFilter(tenant=None), JobFilter(tenant=TENANT, phase="failed")):
        with pytest.raises(CursorInvalid):
            reads.jobs(asked, limit=1, cursor=cursor)
    for wrong in ("", "A" * 32, cursor[:-1] + "!", cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "회" * 32):
        with pytest.raises(CursorInvalid):
            reads.jobs(MINE, limit=1, cursor=wrong)


def test_a_character_that_no_database_stores_matches_nothing(shelf: Shelf, reads: ArchiveReads) -> None:
    """NUL is no failure of the database."""
    shelf.add("call", "words")
    for field in ("tenant", "language", "model", "name"):
        asked: dict[str, Any] = {"tenant": TENANT, field: "wo\x00rds"}
        assert names(reads.jobs(JobFilter(**asked), limit=5)) == []


def test_a_deleted_job_is_neither_listed_nor_found(shelf: Shelf, reads: ArchiveReads) -> None:
    """It does not count as usage either; the same key may be requested again."""
    shelf.add("call", "budget")
    shelf.delete("call")
    assert listed(reads) == found(reads, "budget") == []
    shelf.add("call", "budget")
    assert listed(reads) == ["call"]
