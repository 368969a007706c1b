"""Words are found in recordings, and located in their segments."""

import pytest

from producers.archive.answers import SearchResult
from producers.archive.cursors import CursorInvalid
from producers.archive.filters import SearchFilter
from producers.archive.reads import ArchiveReads
from schemas.identity import job_id
from tests.contract.archive.queries.recordings import TENANT, Shelf, found, ms, names

SCRIPTS = [
    ("오늘 회의록을 정리합니다", "회의록", "오늘 [회의록]을 정리합니다"),
    ("내일 예산안을 봅니다", "예산", "내일 [예산]안을 봅니다"),
    ("今天的会议很长", "会议", "今天的[会议]很长"),
    ("予算の会議です", "会議", "予算の[会議]です"),
    ("Die Straße ist ÉTROITE", "étroite", "Die Straße ist [ÉTROITE]"),
    ("Ｂｕｄｇｅｔ ２０２６", "budget", "[Ｂｕｄｇｅｔ] ２０２６"),
    ("Привет, МИР", "мир", "Привет, [МИР]"),
]
"""A text, words in it, and where they stand in it."""

HOSTILE = [
    '"',
    '""',
    "'",
    "*",
    "a*",
    "^budget",
    "budget AND",
    "NOT budget",
    "NEAR(budget)",
    "terms:budget",
    "budget:*",
    "(budget",
    "budget & ! |",
    "budget <-> plan",
    "\\",
    "%",
    "_",
    "\x00",
    "🎉",
    "-budget",
    " ".join("abcdefghijklmnopqrstuvwxyz" * 5)[:256],
]


def result_of(reads: ArchiveReads, words: str, *, job_id: str | None = None) -> SearchResult:
    """Return the one recording with these words."""
    (result,) = reads.search(SearchFilter(tenant=TENANT, words=words, job_id=job_id), limit=5).results
    return result


def marked(result: SearchResult) -> list[str]:
    """Return the texts of the hits with what was found between brackets."""
    texts = []
    for hit in result.hits:
        text = hit.text
        for first, after in reversed(hit.highlights):
            text = f"{text[:first]}[{text[first:after]}]{text[after:]}"
        texts.append(text)
    return texts


def test_all_words_must_occur_in_a_recording(shelf: Shelf, reads: ArchiveReads) -> None:
    """Anywhere in it, whatever their case; a phrase in one piece."""
    shelf.add("one", "The Budget of the third quarter", "is done")
    shelf.add("two", "a budget", "for a quarter of the third part")
    assert found(reads, "budget QUARTER") == ["two", "one"]
    assert found(reads, '"third quarter"') == ["one"]
    assert found(reads, '"third quarter" budget done') == ["one"]
    assert found(reads, "budget nothing") == found(reads, "budge") == []


def test_words_are_located(shelf: Shelf, reads: ArchiveReads) -> None:
    """Each hit has its segment, its times, the characters, and a link to the moment."""
    shelf.add("call", "Hello there", "The BUDGET, and the budget.", "nothing", "Another budget")
    result = result_of(reads, "budget")
    assert marked(result) == ["The [BUDGET], and the [budget].", "Another [budget]"]
    first, last = result.hits
    assert (first.segment, first.start, first.end, first.channel) == (1, 1.0, 1.5, None)
    assert last.url == f"/#/jobs/{job_id('call')}?t=3"
    assert result.hit_count == 2


def test_words_of_many_scripts_are_found_and_located(shelf: Shelf, reads: ArchiveReads) -> None:
    """Inside longer words where a script has no spaces; letters count as equal whatever their case and width."""
    for key, (text, _, _) in enumerate(SCRIPTS):
        shelf.add(f"call-{key}", "before", text, "after")
    for _, words, shown in SCRIPTS:
        assert marked(result_of(reads, words)) == [shown]


def test_names_and_metadata_are_searched_too(shelf: Shelf, reads: ArchiveReads) -> None:
    """Such a recording has no hits in its segments."""
    shelf.add("kickoff", "words", metadata={"customer": "Northwind"})
    for words in ("kickoff", "northwind"):
        result = result_of(reads, words)
        assert (result.hits, result.hit_count) == ([], 0)


def test_a_list_shows_three_hits_and_one_job_shows_all(shelf: Shelf, reads: ArchiveReads) -> None:
    """Both count them; a list up to a hundred."""
    shelf.add("long", *(f"word {number}" for number in range(120)))
    listed = result_of(reads, "word")
    assert [hit.segment for hit in listed.hits] == [0, 1, 2]
    assert listed.hit_count == 100
    alone = result_of(reads, "word", job_id=job_id("long"))
    assert (len(alone.hits), alone.hit_count) == (120, 120)


def test_a_search_is_of_one_tenant(shelf: Shelf, reads: ArchiveReads) -> None:
    """By words as well as by a job's id."""
    shelf.add("ours", "budget")
    shelf.add("theirs", "budget", tenant="other")
    assert found(reads, "budget") == ["ours"]
    assert found(reads, "budget", tenant=None) == ["theirs", "ours"]
    assert found(reads, "budget", job_id=job_id("theirs")) == []
    assert found(reads, "theirs") == []
    assert found(reads, "budget", job_id=job_id("ours")) == ["ours"]
    assert found(reads, "budget", job_id="f" * 32) == []


def test_a_search_is_narrowed_and_paged(shelf: Shelf, reads: ArchiveReads) -> None:
    """By language and time; pages have every recording once, newest first."""
    for number in range(5):
        shelf.add(f"call-{number}", "budget", language="ko" if number % 2 else "en")
    assert found(reads, "budget", language="ko") == ["call-3", "call-1"]
    assert found(reads, "budget", from_ms=ms(2), to_ms=ms(4)) == ["call-2", "call-1"]
    asked = SearchFilter(tenant=TENANT, words="budget")
    first = reads.search(asked, limit=3)
    assert names(first) == ["call-4", "call-3", "call-2"]
    last = reads.search(asked, limit=3, cursor=first.next)
    assert (names(last), last.next) == (["call-1", "call-0"], None)
    with pytest.raises(CursorInvalid):
        reads.search(SearchFilter(tenant="other", words="budget"), limit=3, cursor=first.next)


def test_no_text_is_an_expression_of_the_database(shelf: Shelf, reads: ArchiveReads) -> None:
    """Signs are no operators: the question is answered, and never about another tenant."""
    shelf.add("ours", "a budget and a plan near the terms")
    shelf.add("theirs", *(words.replace("\x00", "") for words in HOSTILE), tenant="other")
    for words in HOSTILE:
        assert set(found(reads, words)) <= {"ours"}, words


def test_a_search_that_names_no_words_finds_nothing(shelf: Shelf, reads: ArchiveReads) -> None:
    """Neither all recordings nor an error."""
    shelf.add("call", "!!! ???")
    assert found(reads, "!!!") == found(reads, "   ") == []
