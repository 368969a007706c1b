"""What is taken in and when it runs: suspects alone, nothing before its name is durable."""

from typing import Final

from consumers.runtime.flow_control import reserved_records
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.offsets.journal import Journal
from consumers.runtime.partition import Flight, PartitionState
from schemas.kafka import history
from schemas.options import Lane
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets, runtime_bench

EIGHT: Final = RuntimeSettings(in_flight_records=8)
"""With one place reserved for interactive records."""
ONE_SUSPECT: Final = (100, " wdead0+1")
"""The record at offset 100 was running at one death before this one."""


def _suspects(count: int) -> tuple[int, str]:
    return (100, " wdead" + ",".join(f"{number}+1" for number in range(count)))


def _until_handed_over(bench: RuntimeBench) -> list[int]:
    """Take a few turns; return the flights: a suspect starts in the turn after its admission."""
    return offsets(_handed_over(bench, turns=3))


def _handed_over(bench: RuntimeBench, *, turns: int = 20) -> list[Flight]:
    return [flight for _ in range(turns) for flight in bench.turn()]


def test_nothing_is_taken_in_beside_a_suspect() -> None:
    """It runs with nothing else in the process, or its death would prove nothing; then all others follow."""
    with runtime_bench(ONE_SUSPECT, (0, "")) as bench:
        bench.arrive(100)
        bench.turn()
        bench.arrive(*range(20), partition=1)
        bench.arrive(101)
        (suspect,) = bench.turn()
        assert suspect.record.offset == 100
        assert bench.intake.room == 0
        assert _until_handed_over(bench) == []
        bench.complete(suspect)
        assert len(_until_handed_over(bench)) == 21


def test_suspects_run_one_after_the_other() -> None:
    """Each in the order in which it came, the next when the last has ended."""
    with runtime_bench(_suspects(3)) as bench:
        bench.arrive(100, 101, 102)
        for offset in (100, 101, 102):
            flights = [flight for _ in range(3) for flight in bench.turn()]
            assert offsets(flights) == [offset]
            bench.complete(flights[0])


def test_suspects_that_waited_for_a_dependency_still_run_alone() -> None:
    """A bucket that comes back must not start them together: their next death would condemn them all."""
    with runtime_bench(_suspects(3)) as bench:
        bench.arrive(100, 101, 102)
        (first,) = (flight for _ in range(3) for flight in bench.turn())
        bench.park(first)
        assert _until_handed_over(bench) == []
        bench.dispatch.unpark("s3", was_outage=False)
        ran = []
        for _ in range(3):
            flights = [flight for _ in range(3) for flight in bench.turn()]
            assert len(flights) == 1
            committed = bench.assignment.partitions["in", 0].books.confirmed
            journal = CommitMetadata.read(committed.metadata).journal
            successor = Journal(journal, holder="next", offset=committed.offset, wary_records=64, crash_limit=4)
            assert [n for n in (100, 101, 102) if successor.crashes_alone(n)] == offsets(flights)
            ran += offsets(flights)
            bench.complete(flights[0])
        assert sorted(ran) == [100, 101, 102]


def test_a_suspect_that_ended_a_process_alone_rests_before_it_runs_alone_again() -> None:
    """Other records run while it rests; when its time is up nothing else runs beside it."""
    with runtime_bench((100, " wdead0!2")) as bench:
        bench.arrive(100, 101, 102)
        others = _handed_over(bench)
        assert offsets(others) == [101, 102]
        bench.clock.seconds = RuntimeSettings().killer_rest_seconds - 1
        assert _handed_over(bench) == []
        bench.clock.seconds += 1
        assert _handed_over(bench) == []
        for flight in others:
            bench.complete(flight)
        assert _until_handed_over(bench) == [100]
        bench.arrive(103)
        assert _until_handed_over(bench) == []


def test_a_partition_that_leaves_takes_its_resting_suspects_along() -> None:
    """Whether they rest, wait for their turn after that, or run: those of other partitions stay in line."""
    with runtime_bench((100, " wdead0!2,1!2"), (200, " wdead0!2")) as bench:
        leaving = bench.assignment.partitions["in", 0]
        bench.arrive(100)
        assert _handed_over(bench, turns=2) == []
        bench.clock.seconds = RuntimeSettings().killer_rest_seconds + 1
        bench.arrive(200, partition=1)
        assert offsets(bench.turn()) == [100]
        bench.arrive(101)
        bench.dispatch.drop(leaving)
        bench.assignment.remove([leaving.key])
        (running,) = leaving.flights.values()
        assert running.cancelled
        bench.dispatch.release(running)
        assert (bench.flow_control.records, _handed_over(bench, turns=2)) == (0, [])
        bench.clock.seconds += RuntimeSettings().killer_rest_seconds
        assert _until_handed_over(bench) == [200]


def test_suspects_in_line_leave_with_their_partition() -> None:
    """One that waits behind another would otherwise hold up everything that comes after it."""
    with runtime_bench((100, " wdead0!2,1!2"), (0, "")) as bench:
        bench.arrive(100, 101)
        assert _handed_over(bench, turns=2) == []
        bench.clock.seconds = RuntimeSettings().killer_rest_seconds + 1
        bench.intake.admit()
        leaving = bench.assignment.partitions["in", 0]
        bench.dispatch.drop(leaving)
        bench.assignment.remove([leaving.key])
        bench.clock.seconds *= 3
        bench.arrive(0, partition=1)
        assert (_until_handed_over(bench), bench.flow_control.records) == ([0], 1)


def test_a_suspect_that_rests_leaves_with_its_partition() -> None:
    """It would otherwise begin after its rest, with no holder to commit its name."""
    with runtime_bench((100, " wdead0!2"), (0, "")) as bench:
        bench.arrive(100)
        assert _handed_over(bench, turns=2) == []
        leaving = bench.assignment.partitions["in", 0]
        bench.dispatch.drop(leaving)
        bench.assignment.remove([leaving.key])
        bench.clock.seconds = 3 * RuntimeSettings().killer_rest_seconds
        bench.arrive(0, partition=1)
        assert (_until_handed_over(bench), bench.flow_control.records) == ([0], 1)


def test_a_partition_that_leaves_takes_its_suspects_along() -> None:
    """Whether one waits for its turn or for its name to be durable; the others go on."""
    with runtime_bench(_suspects(2), (0, "")) as bench:
        bench.arrive(100, 101)
        bench.intake.admit()
        bench.commit()
        bench.intake.admit()
        leaving = bench.assignment.partitions["in", 0]
        assert offsets(leaving.unnamed) == [100]
        bench.dispatch.drop(leaving)
        bench.assignment.remove([leaving.key])
        bench.arrive(0, partition=1)
        assert _until_handed_over(bench) == [0]
        assert bench.flow_control.records == 1


def test_a_suspect_is_left_to_the_next_holder_as_a_suspect() -> None:
    """The commit that releases a partition keeps the suspects, and the next holder runs them alone."""
    with runtime_bench(ONE_SUSPECT) as bench:
        partition = bench.assignment.partitions["in", 0]
        partition.advance(PartitionState.LEAVING)
        bench.commit()
        assert partition.is_committed
        with runtime_bench((partition.books.confirmed.offset, partition.books.confirmed.metadata)) as successor:
            successor.arrive(100, 101)
            assert _until_handed_over(successor) == [100]


def test_a_due_time_in_the_wrong_unit_blocks_no_partition() -> None:
    """Microseconds for milliseconds are fifty thousand years: not on a topic where nothing waits at all, and on a
    retry topic no longer than its delay."""
    microseconds = ((history.DUE_MS, b"1795630199549000"),)
    with runtime_bench((0, "")) as bench:
        bench.arrive(0, headers=microseconds)
        bench.arrive(1, 2)
        assert _until_handed_over(bench) == [0, 1, 2]
    with runtime_bench((0, ""), topic="in.retry.1m") as bench:
        bench.clock.seconds = 100.0
        bench.arrive(0, headers=microseconds, timestamp_ms=90_000)
        bench.arrive(1, 2)
        assert _until_handed_over(bench) == []
        bench.clock.seconds = 150.0
        assert _until_handed_over(bench) == [0, 1, 2]


def test_a_record_that_ended_and_began_again_between_two_commits_runs() -> None:
    """Its name in the journal is the same as before, and it still has to be started when the name is durable."""
    with runtime_bench((100, " odead")) as bench:
        bench.arrive(100)
        (flight,) = bench.turn()
        bench.park(flight)
        bench.dispatch.unpark("s3", was_outage=False)
        assert offsets(bench.turn()) == [100]


def test_a_partition_that_comes_back_unchanged_runs_its_records() -> None:
    """A holder that lost it and finds its own commit there has nothing new to commit; its records still run."""
    with runtime_bench((100, "")) as bench:
        bench.arrive(100)
        (flight,) = bench.turn()
        bench.complete(flight)
        bench.commit()
        partition = bench.assignment.partitions["in", 0]
        committed = partition.books.confirmed
        bench.dispatch.drop(partition)
        bench.assigned(committed)
        bench.arrive(101)
        assert _until_handed_over(bench) == [101]


def test_an_interactive_record_is_taken_in_where_bulk_holds_every_place() -> None:
    """For hours, perhaps. The place that is kept for it is free for the next one once it is settled."""
    with runtime_bench((0, ""), (0, ""), settings=EIGHT) as bench:
        bench.arrive(*range(20))
        assert len(bench.turn()) == 8
        bench.arrive(0, 1, partition=1, lane=Lane.INTERACTIVE)
        (first,) = _handed_over(bench)
        assert first.record.coordinates.partition == 1
        bench.complete(first)
        (second,) = _handed_over(bench)
        assert (second.record.partition, second.record.offset) == (1, 1)


def test_no_flood_of_interactive_records_starves_bulk() -> None:
    """Beyond the places that are kept they share the others with bulk, partition by partition."""
    with runtime_bench((0, ""), (0, ""), settings=RuntimeSettings(in_flight_records=64)) as bench:
        bench.arrive(*range(500))
        bench.arrive(*range(500), partition=1, lane=Lane.INTERACTIVE)
        flights = _handed_over(bench)
        bulk = [flight for flight in flights if flight.record.partition == 0]
        assert len(bulk) == 32
        assert len(flights) == 64 + reserved_records(RuntimeSettings(in_flight_records=64))
        for flight in flights:
            bench.complete(flight)
        assert [flight for flight in _handed_over(bench) if flight.record.partition == 0]


def test_bulk_waits_for_its_own_places() -> None:
    """The kept ones are not for it, and an interactive record behind it in its partition waits with it."""
    with runtime_bench((0, ""), settings=EIGHT) as bench:
        bench.arrive(*range(9))
        bench.arrive(9, lane=Lane.INTERACTIVE)
        assert offsets(_handed_over(bench)) == [*range(8)]


def test_nothing_takes_a_kept_place_while_a_dependency_is_down() -> None:
    """Nor beside a suspect, nor at the end: intake is shut for all records."""
    with runtime_bench((0, ""), (0, ""), settings=EIGHT) as bench:
        bench.arrive(*range(9))
        flights = bench.turn()
        bench.park(flights[0])
        bench.arrive(0, partition=1, lane=Lane.INTERACTIVE)
        assert _handed_over(bench) == []
        bench.dispatch.unpark("s3", was_outage=False)
        assert (1, 0) in {(flight.record.partition, flight.record.offset) for flight in _handed_over(bench)}
