"""The partitions that a process holds, and the leftovers of those that it has released."""

from typing import Final

from confluent_kafka import OFFSET_INVALID, TopicPartition
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.flow_control import reserved_records
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from schemas.kafka.delivery import Commit
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets, runtime_bench

SETTINGS: Final = RuntimeSettings()


def crashed_at(offset: int) -> str:
    """Return the metadata of a process that ended with this record before it."""
    with runtime_bench((offset, "")) as bench:
        bench.arrive(offset)
        bench.turn()
        (partition,) = bench.assignment.partitions.values()
        return partition.books.confirmed.metadata


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Read a metric's value; 0 when it was never set."""
    return registry.get_sample_value(name, labels) or 0.0


def test_each_partition_begins_where_its_commit_says() -> None:
    """An offset that the broker does not have is no commit, and offset 0 is one."""
    assignment = Assignment(SETTINGS, Metrics(CollectorRegistry()))
    assignment.take(
        [
            TopicPartition("in", 0, 7, metadata=""),
            TopicPartition("in", 1, OFFSET_INVALID),
            TopicPartition("in", 2, 0),
        ]
    )
    begun = {key: partition.books.confirmed for key, partition in assignment.partitions.items()}
    assert begun == {("in", 0): Commit(7), ("in", 1): Commit(-1), ("in", 2): Commit(0)}
    assert {partition.epoch for partition in assignment.partitions.values()} == {1}
    assignment.take([TopicPartition("in", 3, 1)])
    assert assignment.partitions["in", 3].epoch == 2
    assert set(begun) < set(assignment.partitions)


def test_partitions_are_named_after_this_process_and_by_the_settings() -> None:
    """The journal bears the holder's name, and allows what the settings allow."""
    assignment = Assignment(SETTINGS, Metrics(CollectorRegistry()), holder="this-one")
    assignment.take([TopicPartition("in", 0, 0)])
    unnamed = Assignment(SETTINGS, Metrics(CollectorRegistry()))
    other = Assignment(SETTINGS, Metrics(CollectorRegistry()))
    assert assignment._holder == "this-one"
    assert unnamed._holder != other._holder
    assert SETTINGS.in_flight_records + reserved_records(SETTINGS) > SETTINGS.in_flight_records


def test_a_holder_that_ended_with_records_before_it_is_counted() -> None:
    """Once for the partition that it held; a clean one is not."""
    registry = CollectorRegistry()
    assignment = Assignment(SETTINGS, Metrics(registry))
    metadata = crashed_at(7)
    assignment.take([TopicPartition("in", 0, 7, metadata=metadata), TopicPartition("in", 1, 7)])
    assert sample(registry, "kascribe_unclean_takeovers_total", topic="in") == 1


def test_a_partition_that_is_let_go_keeps_nothing() -> None:
    """Its attempts are cancelled, its backlog is dropped, and it is marked as not held; others stay."""
    with runtime_bench((0, ""), (0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        mine, other = bench.assignment.partitions["in", 0], bench.assignment.partitions["in", 1]
        mine.backlog.append(flight.record)
        assert bench.assignment.waiting_records == 1
        bench.assignment.remove([mine.key, ("in", 9)])
        assert (mine.is_gone, flight.cancelled, len(mine.backlog)) == (True, True, 0)
        assert bench.assignment.partitions == {other.key: other}
        assert not other.is_gone
        assert bench.assignment.waiting_records == 0


def test_a_partition_that_is_given_again_starts_over() -> None:
    """What the old object still works on is cancelled, so nothing is recorded twice."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        old = bench.assignment.partitions["in", 0]
        bench.assigned(Commit(3))
        new = bench.assignment.partitions["in", 0]
        assert new is not old
        assert (old.is_gone, flight.cancelled, new.is_gone) == (True, True, False)
        assert new.books.confirmed == Commit(3)
        assert bench.assignment.held([("in", 0), ("in", 1)]) == [new]


def test_what_waits_is_counted_over_all_partitions() -> None:
    """Records that were polled and found no room yet."""
    with runtime_bench((0, ""), (0, "")) as bench:
        bench.arrive(0, 1, partition=0)
        bench.arrive(0, partition=1)
        assert bench.assignment.waiting_records == 3
        assert len(offsets(bench.turn())) == 3
        assert bench.assignment.waiting_records == 0


def test_a_topic_s_id_is_learned_once_and_an_older_one_never_comes_back() -> None:
    """A broker that lags behind returns the old id again, which replaces nothing."""
    with runtime_bench((0, "")) as bench:
        logs = bench.assignment.replaced_logs
        (partition,) = bench.assignment.partitions.values()
        assert logs({"in": "first"}) == []
        assert partition.books.log_id == "first"
        assert logs({"else": "x"}) == []
        assert logs({"in": "second"}) == [(partition, "second")]
        replace(bench, "second")
        assert logs({"in": "first"}) == []
        assert logs({"in": "second"}) == []


def replace(bench: RuntimeBench, log_id: str) -> None:
    """Replace the one partition's log by a new one."""
    (old,) = bench.assignment.partitions.values()
    bench.assignment.replace(old, log_id=log_id, rewinding=False)
    (new,) = bench.assignment.partitions.values()
    assert (new.books.log_id, new.epoch, new.rewinding) == (log_id, old.epoch + 1, False)
    assert old.is_gone


def test_a_commit_over_another_log_begins_the_new_log_under_its_own_id() -> None:
    """The next commit names its own log, and nothing of the old offset counts."""
    assignment = Assignment(SETTINGS, Metrics(CollectorRegistry()))
    assignment.replaced_logs({"in": "today"})
    assignment.take([TopicPartition("in", 0, 7, metadata=str(CommitMetadata(log_id="former")))])
    (partition,) = assignment.partitions.values()
    assert (partition.books.log_id, partition.rewinding, partition.books.confirmed) == ("today", True, Commit(-1))


def test_a_partition_that_stays_as_it_is_hides_no_other_whose_log_is_new() -> None:
    """Every topic is checked, whichever comes first."""
    assignment = Assignment(SETTINGS, Metrics(CollectorRegistry()))
    assignment.take([TopicPartition("same", 0, 7), TopicPartition("recreated", 0, 7)])
    assert assignment.replaced_logs({"same": "a", "recreated": "b"}) == []
    new = assignment.partitions["recreated", 0]
    assert assignment.replaced_logs({"same": "a", "recreated": "c"}) == [(new, "c")]
