"""The committer: outputs first, then commits; and what the release of a partition waits for."""

from typing import Final

from consumers.runtime.drain import (
    CLOSING_SECONDS,
    COMMIT_RESERVE_SECONDS,
    HURRIED_RESERVE_SECONDS,
    Drain,
    work_seconds,
)
from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings
from tests.unit.runtime.committer_bench import CommitterBench, committer_bench

OUTPUT: Final = OutgoingRecord("out", b"key", b"value")
STEP_SECONDS: Final = 0.1


def _do(bench: CommitterBench, offset: int, *outputs: OutgoingRecord) -> None:
    """Run one record from its poll to the outbox."""
    bench.arrive(offset)
    (flight,) = bench.turn()
    bench.finish(flight, *outputs)


def _drain(bench: CommitterBench) -> Drain:
    return Drain(bench.assignment, bench.dispatch, bench.committer, is_hurried=lambda: False, clock=bench.clock)


def test_nothing_is_committed_before_the_outputs_that_it_covers_are_there() -> None:
    """A crash between the two repeats the record. The other way round it would lose the record's outputs."""
    with committer_bench((0, "")) as bench:
        _do(bench, 0, OUTPUT)
        bench.clock.seconds += 60.0
        bench.committer.submit(urgent=True)
        assert bench.offsets() == []
        assert not bench.committer.is_empty
        assert bench.flow_control.undelivered_records == 1
        bench.deliver()
        assert bench.offsets()[-1] == 1


def test_commits_go_along_once_an_interval_and_not_each_time() -> None:
    """Outputs never wait for it; a journal that must be durable before a record may run does not either."""
    with committer_bench((0, ""), settings=RuntimeSettings(commit_interval_seconds=10.0)) as bench:
        bench.clock.seconds = 100.0
        for offset, commits in ((0, 1), (1, 0), (2, 0)):
            _do(bench, offset, OUTPUT)
            ((batch, _),) = bench.outbox.batches
            assert (len(batch.outputs), len(batch.commits)) == (1, commits)
            bench.deliver()
            bench.clock.seconds += 1.0
        bench.clock.seconds += 10.0
        bench.committer.submit()
        bench.deliver()
        assert bench.offsets() == [1, 3]
        assert bench.sample("kascribe_records_published_total", topic="out") == 3


def test_a_record_that_waits_for_its_name_to_be_durable_does_not_wait_for_the_interval() -> None:
    """After an unclean end every record is named before it runs; an interval for each would be an outage."""
    with committer_bench((0, " odead"), settings=RuntimeSettings(commit_interval_seconds=10.0)) as bench:
        bench.committer.submit()
        bench.deliver()
        bench.committer.on_commit(None, bench.consumer.noted)
        bench.arrive(0)
        bench.intake.admit()
        bench.clock.seconds += 0.1
        bench.committer.submit()
        bench.deliver()
        bench.committer.on_commit(None, bench.consumer.noted[1:])
        assert [flight.record.offset for flight in bench.handed_over()] == [0]


def test_a_commit_that_found_no_room_in_the_outbox_is_offered_again() -> None:
    """It left with no batch, so it may not count as submitted: nothing else would ever offer it again."""
    with committer_bench((0, "")) as bench:
        bench.outbox.is_full = True
        _do(bench, 0, OUTPUT)
        (partition,) = bench.assignment.partitions.values()
        assert not partition.books.commit_is_open
        bench.outbox.is_full = False
        bench.committer.submit(urgent=True)
        bench.deliver()
        assert bench.offsets() == [1]
        assert bench.flow_control.undelivered_records == 0
        assert bench.committer.is_empty


def test_what_is_delivered_after_its_partition_was_lost_is_not_committed() -> None:
    """The new holder's commit would be overwritten, and records skipped that it has not done."""
    with committer_bench((0, ""), (0, "")) as bench:
        bench.arrive(0, partition=0)
        bench.arrive(0, partition=1)
        for flight in bench.turn():
            bench.finish(flight, OUTPUT)
        bench.committer.submit(urgent=True)
        gone, kept = bench.assignment.partitions
        bench.assignment.remove([gone])
        bench.deliver()
        assert {position.partition for position in bench.consumer.noted} == {kept[1]}


def test_a_last_commit_is_read_back_and_repeated_when_the_broker_has_another() -> None:
    """The client's callback is not served within the group's callbacks, so the broker is queried."""
    with committer_bench((0, "")) as bench:
        _do(bench, 0)
        (partition,) = bench.assignment.partitions.values()
        bench.consumer.forgetful = True
        turns = 0

        def step() -> None:
            nonlocal turns
            turns += 1
            bench.consumer.forgetful = turns < 3
            bench.clock.seconds += STEP_SECONDS
            bench.deliver()

        _drain(bench).drain([partition], timeout_seconds=30.0, step=step, commit_tries=5)
        assert partition.is_committed
        assert bench.offsets() == [1]
        assert bench.sample("kascribe_commit_failures_total") >= 1


def test_a_drain_that_took_all_its_time_still_delivers_and_commits() -> None:
    """Work that ends within the last second would otherwise be done again."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0, 1)
        done, running = bench.turn()
        done.begin()
        running.begin()
        bench.finish(done, OUTPUT)
        (partition,) = bench.assignment.partitions.values()
        deliver_at = 10.0 + COMMIT_RESERVE_SECONDS / 2

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS
            if bench.clock.seconds >= deliver_at:
                bench.deliver()

        _drain(bench).drain([partition], timeout_seconds=10.0, step=step, commit_tries=1)
        assert bench.clock.seconds <= 10.0 + COMMIT_RESERVE_SECONDS + STEP_SECONDS
        assert bench.offsets()[-1] == 1
        assert partition.is_committed


def test_a_partition_that_drains_takes_nothing_in_and_begins_nothing() -> None:
    """What waits for room, and what a poll still brings, is the next holder's."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0)
        (running,) = bench.turn()
        running.begin()
        bench.arrive(1)
        (partition,) = bench.assignment.partitions.values()
        begun = []

        def step() -> None:
            bench.arrive(2)
            begun.extend(bench.turn())
            bench.clock.seconds += STEP_SECONDS

        _drain(bench).drain([partition], timeout_seconds=1.0, step=step, commit_tries=1)
        assert begun == []
        assert not partition.backlog
        assert partition.books.ledger.position == running.record.offset + 1


def test_a_drain_lets_run_what_runs_and_cancels_the_rest_before_it_lets_go() -> None:
    """What has not begun is left to the next holder at once, what has not ended in time when the time is up."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0, 1)
        running, queued = bench.turn()
        running.begin()
        (partition,) = bench.assignment.partitions.values()
        seen = set()

        def step() -> None:
            seen.add((running.cancelled, queued.cancelled))
            bench.clock.seconds += STEP_SECONDS

        _drain(bench).drain([partition], timeout_seconds=1.0, step=step, commit_tries=1)
        assert seen == {(False, True)}
        assert running.cancelled
        assert partition.is_gone
        assert not bench.assignment.partitions


def test_a_drain_does_not_wait_for_what_has_not_begun() -> None:
    """Jobs of other partitions may hold every worker for hours: no worker would take it out of the line."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0)
        (queued,) = bench.turn()
        (partition,) = bench.assignment.partitions.values()

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS
            bench.deliver()

        _drain(bench).drain([partition], timeout_seconds=30.0, step=step, commit_tries=1)
        assert queued.cancelled
        assert bench.clock.seconds < 1.0


def test_an_attempt_that_waits_for_a_worker_again_has_not_begun() -> None:
    """It ran before, and met an outage or another record of its job: a drain does not let it begin once more."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        flight.begin()
        bench.park(flight)
        bench.dispatch.unpark("s3", was_outage=False)
        assert bench.turn() == [flight]
        (partition,) = bench.assignment.partitions.values()

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS
            assert flight.cancelled

        _drain(bench).drain([partition], timeout_seconds=1.0, step=step, commit_tries=1)
        assert flight.cancelled
        assert not flight.started


def test_a_revocation_amid_the_last_drain_takes_no_time_beyond_it() -> None:
    """The process ends within its limit, whatever the group decides while it drains."""
    with committer_bench((0, ""), (0, "")) as bench:
        for number in range(2):
            bench.arrive(0, partition=number)
        for flight in bench.turn():
            flight.begin()
        revoked, kept = bench.assignment.partitions.values()
        drain, revocations = _drain(bench), 0

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS
            bench.deliver()

        def turn() -> None:
            nonlocal revocations
            step()
            if not revocations:
                revocations += 1
                drain.drain([revoked], timeout_seconds=60.0, step=step, commit_tries=1)

        drain.drain([revoked, kept], timeout_seconds=5.0, step=turn, commit_tries=10)
        assert bench.clock.seconds <= 5.0 + COMMIT_RESERVE_SECONDS
        assert (revocations, revoked.is_gone, kept.is_gone) == (1, True, True)


def test_the_time_of_one_drain_does_not_count_for_the_next() -> None:
    """A process that goes on after a revocation has all its time for the next one."""
    with committer_bench((0, ""), (0, "")) as bench:
        for number in range(2):
            bench.arrive(0, partition=number)
        for flight in bench.turn():
            flight.begin()
        drain = _drain(bench)

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS
            bench.deliver()

        for partition in [*bench.assignment.partitions.values()]:
            began = bench.clock.seconds
            drain.drain([partition], timeout_seconds=5.0, step=step, commit_tries=1)
            assert bench.clock.seconds - began >= 5.0


def test_a_hurried_drain_waits_for_no_work() -> None:
    """A second signal leaves time for one commit, and no more."""
    with committer_bench((0, "")) as bench:
        bench.arrive(0)
        (running,) = bench.turn()
        running.begin()
        (partition,) = bench.assignment.partitions.values()

        def step() -> None:
            bench.clock.seconds += STEP_SECONDS

        drain = Drain(
            bench.assignment, bench.dispatch, bench.committer, is_hurried=lambda: True, clock=bench.clock
        )
        drain.drain([partition], timeout_seconds=60.0, step=step, commit_tries=10)
        assert bench.clock.seconds <= HURRIED_RESERVE_SECONDS + 2 * STEP_SECONDS
        assert partition.is_gone


def test_the_end_of_a_process_leaves_time_for_what_comes_after_the_work() -> None:
    """The limit is that of the process. A short one leaves a quarter of itself."""
    assert work_seconds(60.0) == 60.0 - CLOSING_SECONDS
    assert work_seconds(4.0) == 3.0
    assert work_seconds(0.0) == 0.0
