"""How much is taken in from which partition, and what a partition that leaves takes along."""

from typing import Final

from structlog.testing import capture_logs

from consumers.runtime.offsets import gap_map
from consumers.runtime.partition import Flight
from schemas.kafka.delivery import Commit
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets, runtime_bench
from tests.unit.runtime.settlement_bench import settlement_bench

EIGHT: Final = RuntimeSettings(in_flight_records=8)


def _handed_over(bench: RuntimeBench, *, turns: int = 20) -> list[Flight]:
    return [flight for _ in range(turns) for flight in bench.turn()]


def _leave(bench: RuntimeBench, number: int = 0) -> None:
    partition = bench.assignment.partitions["in", number]
    bench.dispatch.drop(partition)
    bench.assignment.remove([partition.key])


def test_room_is_what_is_left_of_the_limit() -> None:
    """And what arrives is counted by its topic, wherever it waits."""
    with runtime_bench((0, ""), settings=EIGHT) as bench:
        bench.arrive(0, 1, 2)
        assert len(_handed_over(bench)) == 3
        assert bench.intake.room == 5
        bench.arrive(*range(3, 20))
        assert len(_handed_over(bench)) == 5
        assert bench.intake.room == 0
        assert bench.sample("kascribe_records_received_total", topic="in") == 20


def test_a_record_that_was_complete_before_is_skipped_and_counted() -> None:
    """The gap map of the last holder lists it."""
    gaps = gap_map.encode(0, [(1, 3)])
    with runtime_bench((0, gaps)) as bench:
        bench.arrive(0, 1, 2, 3)
        assert offsets(_handed_over(bench)) == [0, 3]
        assert bench.sample("kascribe_records_skipped_total", topic="in") == 2


def test_partitions_take_turns_where_there_is_room_for_one_record() -> None:
    """None waits until another's backlog ends."""
    with runtime_bench(*[(0, "")] * 3, settings=RuntimeSettings(in_flight_records=1)) as bench:
        for number in range(3):
            bench.arrive(*range(10), partition=number)
        served: list[int] = []
        for _ in range(60):
            for flight in bench.turn():
                served.append(flight.record.partition)
                bench.complete(flight)
            if len(served) == 9:
                break
        assert sorted(served) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_room_is_shared_between_the_partitions_that_have_something() -> None:
    """A long backlog takes no more than its share while others wait, and the rest once they do not."""
    with runtime_bench((0, ""), (0, ""), settings=EIGHT) as bench:
        bench.arrive(*range(20))
        bench.arrive(*range(2), partition=1)
        flights = bench.turn()
        flights += bench.turn()
        assert sorted(flight.record.partition for flight in flights) == [0] * 6 + [1] * 2


def test_an_assignment_is_numbered_so_that_lines_tell_one_from_the_next() -> None:
    """Taken back, or replaced by a new log, a partition has another number."""
    with runtime_bench((0, "")) as bench:
        first = repr(bench.assignment.partitions["in", 0])
        bench.assigned(Commit(0))
        second = repr(bench.assignment.partitions["in", 0])
    assert (first, second) == ("in[0]#1", "in[0]#2")


def test_records_that_wait_for_their_names_leave_with_their_partition() -> None:
    """They never begin, and what waits to run alone waits for them no longer."""
    with runtime_bench((100, " odead"), (200, " wdead0+1")) as bench:
        bench.arrive(100, 101)
        bench.intake.admit()
        leaving = bench.assignment.partitions["in", 0]
        assert offsets(leaving.unnamed) == [100, 101]
        bench.arrive(200, partition=1)
        bench.intake.admit()
        _leave(bench)
        bench.dispatch.start_durable(leaving)
        assert offsets(_handed_over(bench)) == [200]
        assert bench.flow_control.records == 1


def test_parked_records_leave_with_their_partition_and_the_others_run_again() -> None:
    """When the dependency is up."""
    with runtime_bench((0, ""), (0, "")) as bench:
        bench.arrive(1)
        (leaving,) = bench.turn()
        bench.arrive(2, partition=1)
        (staying,) = bench.turn()
        bench.park(leaving)
        bench.park(staying)
        _leave(bench)
        bench.dispatch.unpark("s3", was_outage=False)
        assert _handed_over(bench) == [staying]
        assert (leaving.cancelled, bench.flow_control.records) == (True, 1)


def test_records_set_aside_leave_with_their_partition() -> None:
    """The next holder writes their letters; those of other partitions are written here."""
    with settlement_bench((100, " wdead0!3.1"), (200, " wdead0!3.1")) as bench:
        bench.bench.arrive(100)
        bench.bench.arrive(200, partition=1)
        bench.bench.turn()
        _leave(bench.bench)
        assert len(bench.left()) == 0
        bench.settlement.settle_set_aside()
        assert [output.topic for output in bench.left()] == ["in.dlq", "out"]


def test_a_new_log_and_an_unclean_end_are_logged() -> None:
    """The log names the topic, and what follows from it."""
    with capture_logs() as logs, runtime_bench((100, " odead")) as bench:
        bench.intake.on_log_ids({"in": "former"})
        bench.intake.on_log_ids({"in": "now"})
    assert [(line["log_level"], line["topic"]) for line in logs] == [("warning", "in")] * 2
    assert (logs[1]["former_id"], logs[1]["id"]) == ("former", "now")
    assert bench.sample("kascribe_unclean_takeovers_total", topic="in") == 1


def test_only_partitions_that_are_held_are_found() -> None:
    """The group may revoke what was lost already."""
    with runtime_bench((0, "")) as bench:
        held = bench.assignment.held([("in", 0), ("in", 7)])
        assert held == [bench.assignment.partitions["in", 0]]
