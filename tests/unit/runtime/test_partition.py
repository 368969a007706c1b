"""The books of one assigned partition: what is committed, confirmed, refused, and said at the end."""

import pytest

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.partition import AssignedPartition
from schemas.kafka.delivery import Commit

LOG = "r2Q0yqkTSmCQMIkYN5nNSg"


def _partition(committed: Commit | None = None, *, log_id: str = "") -> AssignedPartition:
    return AssignedPartition(
        ("in", 0),
        holder="self",
        epoch=1,
        committed=committed,
        wary_records=4,
        killer_attempts=4,
        log_id=log_id,
    )


def _offered(partition: AssignedPartition) -> Commit:
    commit = partition.commit()
    assert commit is not None
    return commit


def test_nothing_is_committed_of_a_partition_of_which_nothing_was_ever_read() -> None:
    """There is no offset that it could be."""
    partition = _partition(log_id=LOG)
    assert partition.commit() is None
    assert partition.is_committed
    assert not partition.commit_is_open


def test_what_was_offered_is_not_offered_again_until_something_changes() -> None:
    """Confirmed or on its way, the broker has it or will have it."""
    partition = _partition()
    partition.ledger.receive(5)
    first = _offered(partition)
    assert (first.offset, CommitMetadata.read(first.metadata).journal) == (5, "oself")
    assert (partition.commit(), partition.commit_is_open, partition.is_committed) == (None, True, False)
    partition.commit_confirmed(first)
    assert (partition.commit(), partition.commit_is_open, partition.is_committed) == (None, False, True)
    partition.ledger.complete(5)
    assert (_offered(partition).offset, partition.is_committed) == (6, False)


def test_a_commit_that_was_refused_is_offered_again() -> None:
    """And its journal is not durable before it is through."""
    partition = _partition()
    partition.ledger.receive(5)
    first = _offered(partition)
    assert partition.commit_failed(first)
    durable = partition.journal.is_durable
    assert _offered(partition) == first
    partition.commit_confirmed(first)
    assert (durable, partition.journal.is_durable, partition.is_committed) == (False, True, True)


def test_an_older_commit_that_is_confirmed_late_does_not_make_newer_names_durable() -> None:
    """Only the text that holds them does."""
    partition = _partition(Commit(5, " odead"))
    partition.ledger.receive(5)
    partition.journal.start(5)
    older = _offered(partition)
    partition.ledger.receive(6)
    partition.journal.start(6)
    newer = _offered(partition)
    partition.commit_confirmed(older)
    assert (partition.confirmed, partition.journal.is_durable) == (older, False)
    partition.commit_confirmed(newer)
    assert (partition.confirmed, partition.journal.is_durable) == (newer, True)


def test_what_is_confirmed_twice_counts_once() -> None:
    """Who lets go asks the broker, and the client answers as well: by then something newer may be confirmed."""
    partition = _partition()
    partition.ledger.receive(5)
    older = _offered(partition)
    partition.commit_confirmed(older)
    partition.ledger.complete(5)
    newer = _offered(partition)
    partition.commit_confirmed(newer)
    partition.commit_confirmed(older)
    assert partition.confirmed == newer
    assert partition.is_committed


@pytest.mark.parametrize(("log_id", "last"), [("", ""), (LOG, f"  {LOG}")])
def test_the_last_commit_says_that_nobody_holds_the_partition(log_id: str, last: str) -> None:
    """The next holder suspects nobody, and knows which log the offset is of."""
    partition = _partition(log_id=log_id)
    partition.ledger.receive(5)
    partition.ledger.complete(5)
    partition.commit_confirmed(_offered(partition))
    partition.leaving = True
    assert _offered(partition) == Commit(6, last)


def test_a_partition_that_read_nothing_keeps_its_offset_and_gap_map() -> None:
    """Its first commit says who holds it, and nothing else changes."""
    partition = _partition(Commit(5, "gaps  " + LOG), log_id=LOG)
    assert _offered(partition) == Commit(5, f"gaps oself {LOG}")


def test_a_name_that_was_refused_is_offered_again_although_the_text_is_the_same() -> None:
    """The record ended and began again, so the broker has this text already, and it still has to hear of it."""
    partition = _partition(Commit(100, " odead"))
    partition.ledger.receive(100)
    partition.journal.start(100)
    partition.commit_confirmed(_offered(partition))
    partition.journal.stop(100)
    partition.journal.start(100)
    again = _offered(partition)
    assert again == partition.confirmed
    assert partition.commit_failed(again)
    assert _offered(partition) == again


def test_what_an_earlier_holder_completed_is_known_beside_its_journal() -> None:
    """A successor runs none of it again, and says so in its own commits."""
    gaps = gap_map.encode(5, [(7, 8)])
    partition = _partition(Commit(5, f"{gaps} odead"))
    assert [partition.ledger.receive(offset) for offset in (5, 6, 7)] == [True, True, False]
    assert CommitMetadata.read(_offered(partition).metadata).gap_map == gaps


def test_an_older_gap_map_that_is_confirmed_late_hides_no_newer_one() -> None:
    """Its offset may be the newer one's: what the broker has then is not what it should have."""
    partition = _partition()
    for offset in (3, 4):
        partition.ledger.receive(offset)
    partition.ledger.complete(4)
    older = _offered(partition)
    partition.ledger.complete(3)
    partition.ledger.receive(3)  # the log began anew
    newer = _offered(partition)
    assert (older.offset, newer.offset) == (3, 3)
    partition.commit_confirmed(older)
    assert (partition.commit(), partition.is_committed) == (None, False)
    partition.commit_confirmed(newer)
    assert partition.is_committed


def test_a_partition_begins_without_a_pause_that_the_client_was_told() -> None:
    """Unknown, not open: the client keeps its own pauses across a rebalance, so flow control resumes it first."""
    assert _partition().paused is None


def test_a_partition_taken_from_a_holder_that_lives_suspects_no_record() -> None:
    """Its records run as they come; of a holder that is gone, they are named before they run."""
    committed = Commit(100, str(CommitMetadata(journal="oelse")))

    def taken(*, lives: bool) -> AssignedPartition:
        return AssignedPartition(
            ("in", 0),
            holder="self",
            epoch=1,
            committed=committed,
            wary_records=4,
            killer_attempts=4,
            is_alive=lambda holder: lives and holder == "else",
        )

    assert not taken(lives=True).journal.predecessor_crashed
    assert taken(lives=False).journal.predecessor_crashed
