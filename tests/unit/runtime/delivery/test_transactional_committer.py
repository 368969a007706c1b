"""The committer with a transactional outbox: outputs and the commit that covers them, by partition."""

from typing import Final

from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings
from tests.unit.runtime.committer_bench import CommitterBench, committer_bench

OUTPUT: Final = OutgoingRecord("out", b"key", b"value")


def _do(bench: CommitterBench, offset: int, *outputs: OutgoingRecord) -> None:
    """Run one record from its poll to the outbox."""
    bench.arrive(offset)
    (flight,) = bench.turn()
    bench.finish(flight, *outputs)


def test_a_transactional_outbox_gets_each_partition_with_the_commit_that_covers_its_outputs() -> None:
    """Outputs without their offset would be published again after a crash; commits await no interval."""
    with committer_bench((0, ""), (0, ""), settings=RuntimeSettings(commit_interval_seconds=10.0)) as bench:
        bench.outbox.is_transactional = True
        bench.arrive(0, partition=0)
        bench.arrive(0, partition=1)
        flights = bench.turn()
        bench.committer.submit(urgent=True)
        assert not bench.outbox.batches
        for flight in flights:
            bench.finish(flight, OUTPUT)
        batches = [batch for batch, _ in bench.outbox.batches]
        assert [len(batch.outputs) for batch in batches] == [1, 1]
        assert [[(key[1], commit.offset) for key, commit in batch.commits.items()] for batch in batches] == [
            [(0, 1)],
            [(1, 1)],
        ]
        assert all(batch.group_metadata is not None for batch in batches)


def test_a_returned_batch_is_submitted_again_before_what_was_completed_since() -> None:
    """The order of a partition's outputs stays, and their commit covers both."""
    with committer_bench((0, "")) as bench:
        bench.outbox.is_transactional = True
        for offset in range(3):
            _do(bench, offset, OutgoingRecord("out", b"key", f"{offset}".encode()))
        bench.outbox.give_back(bench.outbox.batches)
        bench.mailbox.listen(0)
        assert bench.flow_control.undelivered_records == 3
        bench.committer.submit()
        ((batch, _),) = bench.outbox.batches
        assert [output.value for output in batch.outputs] == [b"0", b"1", b"2"]
        (commit,) = batch.commits.values()
        assert commit.offset == 3


def test_a_returned_batch_of_a_partition_that_is_gone_is_dropped() -> None:
    """Its next owner does the work again."""
    with committer_bench((0, "")) as bench:
        bench.outbox.is_transactional = True
        _do(bench, 0, OUTPUT)
        bench.committer.submit(urgent=True)
        bench.assignment.remove(list(bench.assignment.partitions))
        bench.mailbox.listen(0)
        assert bench.outbox.batches == []
        assert bench.committer.is_empty
        assert bench.flow_control.undelivered_records == 0


def test_outputs_that_found_no_room_are_forgotten_with_their_partition() -> None:
    """Counted for ever, they would shut the intake one day."""
    with committer_bench((0, "")) as bench:
        bench.outbox.is_transactional = bench.outbox.is_full = True
        _do(bench, 0, OUTPUT)
        bench.committer.submit(urgent=True)
        assert bench.flow_control.undelivered_records == 1
        bench.assignment.remove(list(bench.assignment.partitions))
        bench.outbox.is_full = False
        bench.committer.submit()
        assert bench.outbox.batches == []
        assert bench.committer.is_empty
        assert bench.flow_control.undelivered_records == 0
