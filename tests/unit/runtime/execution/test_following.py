"""Records that wait for another record of the same job: when they run, and how they end."""

from collections.abc import Callable

import pytest

from consumers.runtime.partition import Flight
from consumers.runtime.ports import Weight
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets, runtime_bench

Ending = Callable[[RuntimeBench, Flight], None]


def _completed(bench: RuntimeBench, leader: Flight) -> None:
    bench.complete(leader)


def _left_to_another(bench: RuntimeBench, leader: Flight) -> None:
    """Release the leader, as a drop or a retry does: it is not one of this process's flights any more."""
    bench.dispatch.release(leader)


def _lost_with_its_partition(bench: RuntimeBench, leader: Flight) -> None:
    bench.dispatch.drop(leader.partition)
    bench.assignment.remove([leader.partition.key])
    _left_to_another(bench, leader)


def _follow(bench: RuntimeBench, follower: Flight, leader: Flight) -> None:
    """Return the follower from its worker, after it met the leader."""
    bench.dispatch.follow(follower, leader.origin)


@pytest.mark.parametrize("end", [_completed, _left_to_another, _lost_with_its_partition])
def test_a_follower_runs_again_once_its_leader_has_ended_and_not_before(end: Ending) -> None:
    """However it ended: completed, retried, dropped, or lost with its partition."""
    with runtime_bench((0, ""), (0, "")) as bench:
        bench.arrive(5)
        (leader,) = bench.turn()
        bench.arrive(7, partition=1)
        (follower,) = bench.turn()
        _follow(bench, follower, leader)
        assert bench.turn() == []
        assert follower.partition.books.ledger.oldest_incomplete == 7
        end(bench, leader)
        assert bench.turn() == [follower]
        assert (follower.attempt, bench.turn()) == (1, [])


def test_a_follower_whose_leader_is_gone_already_runs_at_once() -> None:
    """The leader may end between the follower's check and its return."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(1, 2)
        leader, follower = bench.turn()
        bench.complete(leader)
        _follow(bench, follower, leader)
        assert bench.turn() == [follower]


def test_a_record_follows_its_own_earlier_attempt() -> None:
    """Its partition left and came back while a worker was still busy with it: it waits for that worker."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(1)
        (old,) = bench.turn()
        bench.assigned(*(partition.books.confirmed for partition in bench.assignment.partitions.values()))
        bench.arrive(1)
        (new,) = bench.turn()
        _follow(bench, new, old)
        assert bench.turn() == []
        _left_to_another(bench, old)
        assert bench.turn() == [new]


def test_followers_that_hold_every_place_do_not_stop_their_leader() -> None:
    """A leader that waits for a dependency needs no room to go on, so nothing waits forever."""
    with runtime_bench((0, ""), settings=RuntimeSettings(in_flight_records=4)) as bench:
        bench.arrive(*range(6))
        leader, *followers = bench.turn()
        assert len(followers) == 3
        for follower in followers:
            _follow(bench, follower, leader)
        bench.park(leader)
        assert bench.turn() == []
        bench.dispatch.unpark("s3", was_outage=False)
        assert bench.turn() == [leader]
        bench.complete(leader)
        assert bench.turn() == followers
        for follower in followers:
            bench.complete(follower)
        assert offsets(bench.turn()) == [4, 5]


def test_a_follower_counts_as_a_record_in_flight_and_weighs_nothing() -> None:
    """Its fetched audio is dropped; its place stays taken, for its offset is incomplete."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(1, 2)
        leader, follower = bench.turn()
        follower.as_job().weigh(Weight(object_size_bytes=1_000, audio_seconds=60.0))
        bench.mailbox.listen(0)
        assert bench.flow_control.audio_seconds == 60
        _follow(bench, follower, leader)
        assert (
            bench.flow_control.records,
            bench.flow_control.audio_seconds,
            bench.flow_control.counted_audio_seconds,
        ) == (2, 0, 0)


def test_a_partition_that_leaves_takes_its_followers_along_and_no_others() -> None:
    """They are left incomplete to the next holder, and their places are free."""
    with runtime_bench((0, ""), (0, ""), (0, "")) as bench:
        bench.arrive(1)
        (leader,) = bench.turn()
        bench.arrive(2, partition=1)
        bench.arrive(3, partition=2)
        leaving, staying = sorted(bench.turn(), key=lambda flight: flight.record.offset)
        for follower in (leaving, staying):
            _follow(bench, follower, leader)
        bench.dispatch.drop(leaving.partition)
        assert (leaving.cancelled, leaving.settled, leaving.partition.books.ledger.watermark) == (True, True, 2)
        assert bench.flow_control.records == 2
        bench.complete(leader)
        assert bench.turn() == [staying]


def test_a_partition_that_leaves_takes_along_what_was_released_and_has_not_run() -> None:
    """Between the leader's end and the next turn the partition may go."""
    with runtime_bench((0, ""), (0, "")) as bench:
        bench.arrive(1)
        (leader,) = bench.turn()
        bench.arrive(2, partition=1)
        (follower,) = bench.turn()
        _follow(bench, follower, leader)
        bench.complete(leader)
        bench.dispatch.drop(follower.partition)
        assert (bench.turn(), bench.flow_control.records) == ([], 0)


def test_no_follower_begins_beside_a_suspect() -> None:
    """A record that may have killed a process runs with nothing else, or its death would prove nothing."""
    with runtime_bench((0, ""), (0, ""), (100, " wdead0+1")) as bench:
        bench.arrive(1)
        (leader,) = bench.turn()
        bench.arrive(2, partition=1)
        (follower,) = bench.turn()
        _follow(bench, follower, leader)
        bench.park(leader)
        bench.dispatch.unpark("s3", was_outage=False)
        (leader,) = bench.turn()
        bench.arrive(100, partition=2)
        assert [flight for _ in range(3) for flight in bench.turn()] == []
        bench.dispatch.release(leader)
        (suspect,) = [flight for _ in range(3) for flight in bench.turn()]
        assert suspect.record.offset == 100
        bench.complete(suspect)
        assert follower in [flight for _ in range(3) for flight in bench.turn()]
