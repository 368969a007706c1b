"""Records that come again although they were polled: a client that rewinds, or a log that was replaced."""

from collections.abc import Iterator
from typing import Final

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.settings import RuntimeSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.running import send
from tests.flow.stages import TOPIC
from tests.support.waiting import eventually
from tests.unit.runtime.runtime_bench import RuntimeBench, offsets

RECORDS: Final = 12


def _read(consumer: Consumer) -> list[int | None]:
    """Read the offsets of the next twelve records."""
    read: list[int | None] = []

    def enough() -> bool:
        read.extend(message.offset() for message in consumer.consume(RECORDS, 0.1))
        return len(read) >= RECORDS

    eventually(enough, timeout_seconds=20, what="twelve records")
    return read


@pytest.fixture
def consumer(broker: MockCluster) -> Iterator[Consumer]:
    """Yield a consumer that has read twelve records, and so knows how long the log is."""
    broker.create_topic(TOPIC)
    send(broker.bootstrap_servers, [f"echo-{number}" for number in range(RECORDS)])
    made = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "log_level": 0})
    made.assign([TopicPartition(TOPIC, 0, 0)])
    assert _read(made) == [*range(RECORDS)]
    yield made
    made.close()


def test_a_client_that_rewinds_makes_no_record_run_twice_and_raises_a_doubt(consumer: Consumer) -> None:
    """The log reaches as far as before, so it is the same one, unless the broker returns another id for it."""
    bench = RuntimeBench(consumer, [(0, "")], TOPIC, RuntimeSettings(in_flight_records=64))
    bench.arrive(*range(6))
    ran = offsets([flight for _ in range(3) for flight in bench.turn()])
    before = bench.assignment.partitions[TOPIC, 0]
    assert not bench.runtime.topic_id_watch._poller._wake.is_set()
    bench.arrive(5)
    assert bench.runtime.topic_id_watch._poller._wake.is_set()
    bench.arrive(*range(3), 6)
    ran += offsets([flight for _ in range(3) for flight in bench.turn()])
    assert bench.assignment.partitions[TOPIC, 0] is before
    assert ran == [*range(7)]
    assert bench.sample("kascribe_records_skipped_total", topic=TOPIC) == 0


def test_a_log_that_is_read_from_its_beginning_is_rewound_at_the_client(consumer: Consumer) -> None:
    """What the client returns before that is dropped; then every record comes."""
    bench = RuntimeBench(consumer, [(5, " oself r2Q0yqkTSmCQMIkYN5nNSg")], TOPIC, RuntimeSettings())
    bench.intake.on_log_ids({TOPIC: "Zb1xk4zRQ0mM0p9l3mWkHw"})
    partition = bench.assignment.partitions[TOPIC, 0]
    before = partition.rewinding
    bench.intake.update_pauses()
    assert (before, partition.rewinding) == (True, False)
    assert _read(consumer) == [*range(RECORDS)]
