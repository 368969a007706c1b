"""The ledger by example: each rule of what may be committed."""

import random
from collections.abc import Sequence

import pytest

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.ledger import PartitionLedger
from schemas.kafka.delivery import Commit


def receive_all(ledger: PartitionLedger, offsets: Sequence[int]) -> list[int]:
    """Receive offsets; return those to run."""
    return [offset for offset in offsets if ledger.receive(offset)]


def committed(ledger: PartitionLedger) -> Commit:
    """Confirm the commit that the ledger returns, and return it."""
    commit = ledger.commit()
    assert commit is not None
    ledger.on_confirmed(commit)
    return commit


def test_a_new_ledger_has_nothing_to_commit() -> None:
    """An assignment alone changes nothing at the broker."""
    assert PartitionLedger().commit() is None
    assert PartitionLedger(committed=Commit(5)).commit() is None


def test_the_lowest_incomplete_offset_is_committed_with_the_rest_in_the_metadata() -> None:
    """0 is slow, 1 and 3 are done: 0 is committed, and a successor skips 1 and 3."""
    ledger = PartitionLedger()
    receive_all(ledger, range(4))
    ledger.complete(3)
    ledger.complete(1)
    commit = committed(ledger)
    assert commit.offset == 0
    assert receive_all(PartitionLedger(committed=commit), range(6)) == [0, 2, 4, 5]


def test_with_nothing_in_flight_the_offset_after_the_highest_received_is_committed() -> None:
    """And there is no metadata to carry."""
    ledger = PartitionLedger(committed=Commit(10))
    receive_all(ledger, [10, 11])
    ledger.complete(10)
    ledger.complete(11)
    assert ledger.commit() == Commit(12, "")


def test_holes_are_never_waited_for() -> None:
    """Compaction and transaction markers leave offsets that are never received."""
    ledger = PartitionLedger(committed=Commit(0))
    receive_all(ledger, [5, 10, 1_000_000])
    ledger.complete(1_000_000)
    ledger.complete(5)
    assert committed(ledger).offset == 10
    ledger.complete(10)
    assert committed(ledger) == Commit(1_000_001)


def test_nothing_is_committed_twice() -> None:
    """Once the broker has confirmed a commit there is none until something changes."""
    ledger = PartitionLedger()
    receive_all(ledger, [0, 1])
    ledger.complete(0)
    commit = ledger.commit()
    assert commit == ledger.commit() == Commit(1)
    assert commit is not None
    ledger.on_confirmed(commit)
    assert ledger.commit() is None
    ledger.complete(0)
    assert ledger.commit() is None
    ledger.complete(1)
    assert ledger.commit() == Commit(2)


def test_a_record_in_flight_that_comes_again_is_not_run_twice() -> None:
    """A repeated delivery does not move the watermark, and completing the record once is enough."""
    ledger = PartitionLedger()
    assert receive_all(ledger, [0, 1, 0, 1]) == [0, 1]
    ledger.complete(1)
    assert not ledger.receive(1)
    assert ledger.watermark == 0
    ledger.complete(0)
    assert (ledger.oldest_incomplete, ledger.watermark) == (None, 2)


def test_an_offset_that_was_not_received_completes_nothing() -> None:
    """A stray result cannot move the watermark."""
    ledger = PartitionLedger(committed=Commit(0))
    ledger.receive(0)
    ledger.complete(7)
    ledger.complete(-1)
    assert ledger.watermark == 0


def test_a_log_that_restarted_is_read_from_its_beginning() -> None:
    """A recreated topic starts below the committed offset; its records are new, whatever the old map contains."""
    ledger = PartitionLedger(committed=Commit(100, gap_map.encode(100, [(101, 105)])))
    assert receive_all(ledger, [0, 1, 2]) == [0, 1, 2]
    ledger.complete(0)
    assert ledger.commit() == Commit(1)


def test_a_log_that_restarts_during_work_keeps_what_is_in_flight() -> None:
    """The old records still hold the watermark where it was; the new ones hold it lower."""
    ledger = PartitionLedger(committed=Commit(100))
    receive_all(ledger, [100, 101, 102])
    ledger.complete(100)
    assert receive_all(ledger, [0, 1]) == [0, 1]
    ledger.complete(0)
    assert committed(ledger).offset == 1
    ledger.complete(1)
    ledger.complete(101)
    ledger.complete(102)
    assert ledger.commit() == Commit(2)


def test_the_successor_of_a_successor_still_knows_what_was_complete() -> None:
    """Offsets completed by earlier holders stay known until they are received, through any number of crashes."""
    first = PartitionLedger()
    receive_all(first, range(100))
    for offset in range(50, 100):
        first.complete(offset)
    second = PartitionLedger(committed=committed(first))
    receive_all(second, range(10))
    second.complete(0)
    third = PartitionLedger(committed=committed(second))
    assert receive_all(third, range(1, 102)) == [*range(1, 50), 100, 101]


def test_intake_stops_before_the_map_could_overflow() -> None:
    """While can_receive() is true, whatever completes afterwards fits; that is 25,900 records at least."""
    chance = random.Random(1)
    ledger = PartitionLedger()
    received = 0
    while ledger.can_receive():
        ledger.receive(received)
        received += 1
    done = {offset for offset in range(1, received) if chance.random() < 0.5} | {received - 1}
    for offset in done:
        ledger.complete(offset)
    commit = committed(ledger)
    known = [offset for first, end in gap_map.decode(0, commit.metadata) for offset in range(first, end)]
    assert received > 25_900
    assert set(known) == done
    assert not ledger.can_receive()


def test_few_slow_records_never_stop_intake() -> None:
    """A hundred slow files among a million others: width alone is no reason to stop."""
    ledger = PartitionLedger()
    for offset in range(1_000_000):
        assert ledger.receive(offset)
        if offset % 10_000:
            ledger.complete(offset)
    assert ledger.window == 1_000_000
    assert ledger.can_receive()
    known = gap_map.decode(0, committed(ledger).metadata)
    assert sum(end - first for first, end in known) == 1_000_000 - 100


def test_what_a_predecessor_left_counts_against_the_room() -> None:
    """A map that is too wide for this ledger's limit stops intake, however long its first range is."""
    left = [(1, 1_000_000), *((offset, offset + 1) for offset in range(1_000_001, 1_001_401, 2))]
    ledger = PartitionLedger(committed=Commit(0, gap_map.encode(0, left)), characters_limit=200)
    assert ledger.receive(0)
    assert not ledger.can_receive()
    ledger.complete(0)
    assert ledger.can_receive()


def test_intake_goes_on_once_nothing_is_in_flight() -> None:
    """However much a predecessor's map holds, an empty ledger takes the next record: waiting always ends."""
    widest = gap_map.encode(0, [(offset, offset + 1) for offset in range(1, 25_000, 2)])
    assert PartitionLedger(committed=Commit(0, widest)).can_receive()


@pytest.mark.parametrize("limit", [200, 1_000, 3_800])
def test_the_map_leaves_the_room_that_was_asked_for(limit: int) -> None:
    """The caller that shares the metadata limits the map, and intake stops in time."""
    ledger = PartitionLedger(characters_limit=limit)
    chance = random.Random(2)
    offset = 0
    while ledger.can_receive():
        ledger.receive(offset)
        offset += 1
    for at in range(1, offset):
        if chance.random() < 0.5:
            ledger.complete(at)
    ledger.complete(offset - 1)
    commit = committed(ledger)
    assert len(commit.metadata) <= limit
    assert gap_map.decode(0, commit.metadata)[-1][1] == offset


def test_what_holds_the_watermark_back_has_a_name() -> None:
    """Metrics and pauses read the oldest incomplete offset, the window and the position."""
    ledger = PartitionLedger(committed=Commit(3))
    assert (ledger.oldest_incomplete, ledger.window, ledger.position) == (None, 0, 3)
    receive_all(ledger, [3, 4, 9])
    ledger.complete(3)
    assert (ledger.oldest_incomplete, ledger.window, ledger.position) == (4, 6, 10)


@pytest.mark.parametrize("first", [2, 50, 127, 128, 300])
def test_a_map_always_fits_where_a_predecessor_left_a_range_near_the_watermark(first: int) -> None:
    """Whatever is taken in while there is room, nothing that is complete is left off."""
    left = gap_map.encode(0, [(first, first + 1)])
    for limit in range(20, 60):
        ledger = PartitionLedger(committed=Commit(0, left), characters_limit=limit)
        ledger.receive(0)
        if not ledger.can_receive():
            continue
        ledger.receive(2**62)
        ledger.complete(2**62)
        commit = committed(ledger)
        assert gap_map.decode(0, commit.metadata)[-1][1] == 2**62 + 1, limit
