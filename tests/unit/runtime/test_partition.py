"""A partition moves through its states in one direction, and its flights go with it."""

from typing import Final

import pytest

from consumers.runtime.offsets.books import Books
from consumers.runtime.partition import AssignedPartition, PartitionState
from schemas.kafka.records import OutgoingRecord, Record
from tests.unit.runtime.runtime_bench import runtime_bench

OUTPUT: Final = OutgoingRecord("out", b"key", b"value")


def _partition() -> AssignedPartition:
    books = Books(None, holder="self", wary_records=4, killer_attempts=4)
    return AssignedPartition(("in", 0), books, epoch=1)


def _record(offset: int) -> Record:
    return Record("in", 0, offset, b"key", b"value", (), 0)


def test_whether_the_client_paused_a_new_partition_is_unknown() -> None:
    """Unknown, not open: the client keeps its own pauses across a rebalance, so flow control resumes it first."""
    assert _partition().paused is None


@pytest.mark.parametrize("later", [PartitionState.DRAINING, PartitionState.LEAVING, PartitionState.GONE])
def test_a_partition_never_goes_back_to_an_earlier_state(later: PartitionState) -> None:
    """A drain within another one would otherwise revive a partition that has been released."""
    partition = _partition()
    partition.advance(later)
    for earlier in PartitionState:
        if earlier < later:
            partition.advance(earlier)
            assert partition.state is later
    assert partition.is_gone == (later is PartitionState.GONE)


def test_only_a_held_partition_keeps_a_backlog() -> None:
    """What waits when the drain begins is the next holder's."""
    partition = _partition()
    partition.enqueue(_record(4))
    assert (partition.polled, len(partition.backlog)) == (5, 1)
    partition.advance(PartitionState.DRAINING)
    assert not partition.backlog


def test_flights_are_cancelled_when_their_partition_is_gone_and_not_before() -> None:
    """While it drains they may finish."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        for state, cancelled in (
            (PartitionState.DRAINING, False),
            (PartitionState.LEAVING, False),
            (PartitionState.GONE, True),
        ):
            flight.partition.advance(state)
            assert flight.cancelled is cancelled


def test_a_completed_record_leaves_its_outputs_with_its_partition() -> None:
    """Until the committer submits them; the books are ahead only of what is submitted with them or later."""
    partition = _partition()
    partition.books.ledger.receive(0)
    partition.complete(0, (OUTPUT,))
    assert (partition.outputs, partition.books.ledger.watermark) == ([OUTPUT], 1)
