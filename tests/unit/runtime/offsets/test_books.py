"""The books of one partition: what is committed, confirmed, refused, and written at the end."""

import pytest

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.books import Books
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from schemas.kafka.delivery import Commit

LOG = "r2Q0yqkTSmCQMIkYN5nNSg"


def _books(committed: Commit | None = None, *, log_id: str = "") -> Books:
    return Books(committed, holder="self", wary_records=4, killer_attempts=4, log_id=log_id)


def _offered(books: Books) -> Commit:
    commit = books.commit()
    assert commit is not None
    return commit


def test_nothing_is_committed_of_a_partition_of_which_nothing_was_ever_read() -> None:
    """There is no offset that it could be."""
    books = _books(log_id=LOG)
    assert books.commit() is None
    assert books.is_committed()
    assert not books.commit_is_open


def test_what_was_offered_is_not_offered_again_until_something_changes() -> None:
    """Confirmed or on its way, the broker has it or will have it."""
    books = _books()
    books.ledger.receive(5)
    first = _offered(books)
    assert (first.offset, CommitMetadata.read(first.metadata).journal) == (5, "oself")
    assert (books.commit(), books.commit_is_open, books.is_committed()) == (None, True, False)
    books.confirm(first)
    assert (books.commit(), books.commit_is_open, books.is_committed()) == (None, False, True)
    books.ledger.complete(5)
    assert (_offered(books).offset, books.is_committed()) == (6, False)


def test_a_commit_that_was_refused_is_offered_again() -> None:
    """And its journal is not durable before it is through."""
    books = _books()
    books.ledger.receive(5)
    first = _offered(books)
    assert books.fail(first)
    durable = books.journal.is_durable
    assert _offered(books) == first
    books.confirm(first)
    assert (durable, books.journal.is_durable, books.is_committed()) == (False, True, True)


def test_an_older_commit_that_is_confirmed_late_does_not_make_newer_names_durable() -> None:
    """Only the text that holds them does."""
    books = _books(Commit(5, " odead"))
    books.ledger.receive(5)
    books.journal.start(5)
    older = _offered(books)
    books.ledger.receive(6)
    books.journal.start(6)
    newer = _offered(books)
    books.confirm(older)
    assert (books.confirmed, books.journal.is_durable) == (older, False)
    books.confirm(newer)
    assert (books.confirmed, books.journal.is_durable) == (newer, True)


def test_what_is_confirmed_twice_counts_once() -> None:
    """A release requests the committed offset, and the client reports it too: a newer one may be known then."""
    books = _books()
    books.ledger.receive(5)
    older = _offered(books)
    books.confirm(older)
    books.ledger.complete(5)
    newer = _offered(books)
    books.confirm(newer)
    books.confirm(older)
    assert books.confirmed == newer
    assert books.is_committed()


@pytest.mark.parametrize(("log_id", "last"), [("", ""), (LOG, f"  {LOG}")])
def test_the_last_commit_says_that_nobody_holds_the_books(log_id: str, last: str) -> None:
    """The next holder has no suspects, and knows which log the offset refers to."""
    books = _books(log_id=log_id)
    books.ledger.receive(5)
    books.ledger.complete(5)
    books.confirm(_offered(books))
    assert books.commit(last=True) == Commit(6, last)


def test_a_partition_that_read_nothing_keeps_its_offset_and_gap_map() -> None:
    """Its first commit names the holder, and nothing else changes."""
    books = _books(Commit(5, "gaps  " + LOG), log_id=LOG)
    assert _offered(books) == Commit(5, f"gaps oself {LOG}")


def test_a_name_that_was_refused_is_offered_again_although_the_text_is_the_same() -> None:
    """The record ended and began again, so the broker has this text already, and it still has to hear of it."""
    books = _books(Commit(100, " odead"))
    books.ledger.receive(100)
    books.journal.start(100)
    books.confirm(_offered(books))
    books.journal.stop(100)
    books.journal.start(100)
    again = _offered(books)
    assert again == books.confirmed
    assert books.fail(again)
    assert _offered(books) == again


def test_what_an_earlier_holder_completed_is_known_beside_its_journal() -> None:
    """A successor runs none of it again, and lists it in its own commits."""
    gaps = gap_map.encode(5, [(7, 8)])
    books = _books(Commit(5, f"{gaps} odead"))
    assert [books.ledger.receive(offset) for offset in (5, 6, 7)] == [True, True, False]
    assert CommitMetadata.read(_offered(books).metadata).gap_map == gaps


def test_an_older_gap_map_that_is_confirmed_late_hides_no_newer_one() -> None:
    """Its offset may be the newer one's: what the broker has then is not what it should have."""
    books = _books()
    for offset in (3, 4):
        books.ledger.receive(offset)
    books.ledger.complete(4)
    older = _offered(books)
    books.ledger.complete(3)
    books.ledger.receive(3)  # the log began anew
    newer = _offered(books)
    assert (older.offset, newer.offset) == (3, 3)
    books.confirm(older)
    assert (books.commit(), books.is_committed()) == (None, False)
    books.confirm(newer)
    assert books.is_committed()


def test_a_partition_taken_from_a_holder_that_lives_suspects_no_record() -> None:
    """Its records run as they come; of a holder that is gone, they are named before they run."""
    committed = Commit(100, str(CommitMetadata(journal="oelse")))

    def taken(*, is_alive: bool) -> Books:
        return Books(
            committed,
            holder="self",
            wary_records=4,
            killer_attempts=4,
            is_alive=lambda holder: is_alive and holder == "else",
        )

    assert not taken(is_alive=True).journal.predecessor_crashed
    assert taken(is_alive=False).journal.predecessor_crashed
