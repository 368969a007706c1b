"""A topic that is created again, or whose log is cut off: a new log, of which nothing is known."""

from random import Random

import pytest

from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.partition import AssignedPartition, PartitionState
from schemas.kafka.delivery import Commit
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets, runtime_bench

OLD, NEW = "r2Q0yqkTSmCQMIkYN5nNSg", "Zb1xk4zRQ0mM0p9l3mWkHw"


def _partition(bench: RuntimeBench) -> AssignedPartition:
    return bench.assignment.partitions["in", 0]


def _begin_with_old_log(bench: RuntimeBench) -> AssignedPartition:
    """Poll and run records 0 to 6 of the old log; 0 is a long job, the others are complete."""
    bench.intake.on_log_ids({"in": OLD})
    bench.arrive(*range(7))
    for flight in (*bench.turn(), *bench.turn()):
        if flight.record.offset:
            bench.complete(flight)
    bench.commit()
    return _partition(bench)


@pytest.mark.parametrize(
    "parts",
    [("", "", ""), ("gaps", "", ""), ("gaps", "oabcd", ""), ("", "oabcd", OLD), ("", "", OLD), ("gaps", "", OLD)],
)
def test_the_parts_of_a_commits_metadata_come_back(parts: tuple[str, str, str]) -> None:
    """Each of them may be missing."""
    written = str(CommitMetadata(*parts))
    read = CommitMetadata.read(written)
    assert (read.gap_map, read.journal, read.log_id) == parts


def test_metadata_without_an_id_is_read_as_older_releases_wrote_it() -> None:
    """The offset and its gap map hold; the id is added with the next commit."""
    with runtime_bench((100, " oself")) as bench:
        assert not _partition(bench).rewinding
        bench.intake.on_log_ids({"in": OLD})
        bench.commit()
        confirmed = _partition(bench).books.confirmed
    assert (confirmed.offset, CommitMetadata.read(confirmed.metadata).log_id) == (100, OLD)


def test_the_gap_map_leaves_room_for_the_journal_and_the_id() -> None:
    """At the worst all three stay within the 4,095 characters that a broker takes."""
    with runtime_bench((0, " odead")) as bench:
        bench.intake.on_log_ids({"in": OLD})
        ledger, toss, offset = _partition(bench).books.ledger, Random(7), 0
        while ledger.can_receive():
            ledger.receive(offset)
            if toss.random() < 0.5:
                ledger.complete(offset)
            offset += 1
        for number in range(8):
            _partition(bench).books.journal.start(number * 10**9)
        commit = _partition(bench).commit()
    assert commit is not None
    assert CommitMetadata.read(commit.metadata).log_id == OLD
    assert 3_900 < len(commit.metadata) <= 4_095


def test_a_topic_with_another_id_gets_new_books_and_is_read_from_its_beginning() -> None:
    """The old log's job is cancelled, its gap map and watermark are gone, every new record runs."""
    with runtime_bench((0, "")) as bench:
        old = _begin_with_old_log(bench)
        bench.intake.on_log_ids({"in": NEW})
        new = _partition(bench)
        assert new is not old
        assert (new.epoch, new.rewinding, new.books.log_id) == (old.epoch + 1, True, NEW)
        assert (old.is_gone, old.flights[0].cancelled) == (True, True)
        bench.arrive(7, 8)  # the client went on at its old offset until it had to seek
        assert bench.turn() == []
        new.rewound()
        bench.arrive(*range(12))
        ran = offsets([flight for _ in range(3) for flight in bench.turn()])
    assert sorted(ran) == [*range(12)]


def test_a_result_of_the_old_log_completes_nothing_of_the_new_one() -> None:
    """The long job ends after its log: its record number is another record now, which stays incomplete."""
    with runtime_bench((0, "")) as bench:
        old = _begin_with_old_log(bench)
        long_job = old.flights[0]
        bench.intake.on_log_ids({"in": NEW})
        _partition(bench).rewound()
        bench.arrive(0)
        bench.turn()
        bench.dispatch.release(long_job)
        bench.committer.complete(long_job, ())
        assert _partition(bench).books.ledger.oldest_incomplete == 0
        assert bench.flow_control.records == 1


def test_a_commit_of_the_old_log_that_is_confirmed_late_confirms_nothing_of_the_new_one() -> None:
    """Nor does one that is refused late."""
    with runtime_bench((0, "")) as bench:
        old = _begin_with_old_log(bench)
        bench.complete(old.flights[0])
        late = old.commit()
        assert late is not None
        bench.intake.on_log_ids({"in": NEW})
        new = _partition(bench)
        new.books.confirm(late)
        assert new.books.confirmed == new.books.submitted == Commit(-1)
        assert not new.books.fail(late)
        assert new.commit() is None


def test_an_offset_of_another_log_is_discarded_at_assignment() -> None:
    """The broker kept what was committed for the deleted topic: offset and gap map would hide new records."""
    with runtime_bench() as bench:
        bench.intake.on_log_ids({"in": NEW})
        bench.assigned(Commit(5, f" odead {OLD}"))
        partition = _partition(bench)
        assert partition.rewinding
        assert partition.books.ledger.receive(0)
        assert not partition.books.journal.predecessor_crashed


def test_an_offset_whose_log_is_not_known_yet_holds_until_it_is() -> None:
    """The id is queried beside the assignment; when it turns out to be another one, the log is read again."""
    with runtime_bench((5, f" oself {OLD}")) as bench:
        assert not _partition(bench).rewinding
        bench.intake.on_log_ids({"in": OLD})
        assert not _partition(bench).rewinding
        bench.intake.on_log_ids({"in": NEW})
        assert _partition(bench).rewinding
        new = _partition(bench)
        bench.intake.on_log_ids({"in": OLD})  # from a broker that lags behind
        assert _partition(bench) is new


def test_a_log_that_was_cut_off_starts_over_at_once() -> None:
    """It reaches less far than what was polled of it, so what comes is new, whatever is known of the offsets."""
    with runtime_bench((0, "")) as bench:
        _begin_with_old_log(bench)
        bench.arrive(*range(5))
        ran = offsets([flight for _ in range(3) for flight in bench.turn()])
        assert ran == [*range(5)]
        assert not _partition(bench).rewinding


def test_a_partition_that_is_let_go_is_not_replaced() -> None:
    """Its last commit goes out with the old log's id, by which the next holder knows it."""
    with runtime_bench((0, "")) as bench:
        old = _begin_with_old_log(bench)
        old.advance(PartitionState.DRAINING)
        bench.intake.on_log_ids({"in": NEW})
        assert _partition(bench) is old
