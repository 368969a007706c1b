"""The past records of a topic, read from the embedded broker."""

from collections.abc import Iterator

import pytest

from consumers.kafka.follower import Follower, Start
from producers.kafka import open_producer, producer_configuration
from schemas.kafka.partitions import partition_of
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings
from tests.contract.jobs.history_suite import HistorySuite, Log
from tests.flow.events.kafka_log import kafka_log
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import send
from tests.support.waiting import eventually

TOPIC = "past"


class TestTopicHistoryOnTheEmbeddedBroker(HistorySuite):
    """The broker of `kascribe up`: it does not search by time."""

    searches_by_time = False

    @pytest.fixture
    def log(self, broker: MockCluster) -> Iterator[Log]:
        """Return an empty log."""
        broker.create_topic(TOPIC, partitions=2)
        with kafka_log(KafkaSettings(bootstrap_servers=broker.bootstrap_servers), TOPIC) as opened:
            yield opened


def test_a_key_s_partition_is_computed_as_the_client_chooses_it(broker: MockCluster) -> None:
    """A job's events are searched in one partition only."""
    broker.create_topic(TOPIC, partitions=7)
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    producer = open_producer(settings, producer_configuration(settings))
    keys = [b"x" * length + b"%d" % length for length in range(50)]
    for key in keys:
        producer.produce(TOPIC, b"", key)
    assert producer.flush(20) == 0
    for record in records_on(broker.bootstrap_servers, TOPIC, count=50, partitions=7):
        assert record.key is not None
        assert partition_of(record.key, 7) == record.partition


def test_a_new_follower_continues_where_the_last_one_ended(broker: MockCluster) -> None:
    """Records that were published between two clients are received, each once; a deleted position is skipped."""
    broker.create_topic(TOPIC, partitions=2)
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    send(broker.bootstrap_servers, ["before"], topic=TOPIC)
    with Follower(settings, [TOPIC], start=Start.NOW) as first:
        assert dict(first.starts) == {(TOPIC, 0): 1, (TOPIC, 1): 0}
        reached = dict(first.starts)
    send(broker.bootstrap_servers, ["between", "beside"], topic=TOPIC, partitions=2)
    with Follower(settings, [TOPIC], start=Start.NOW, resumed=reached) as second:
        found = received(second, count=2)
        assert {record.value for record in found} == {b"between", b"beside"}
    del reached[TOPIC, 1]  # as if it had been added since
    reached[TOPIC, 0] = 99  # of another log
    with Follower(settings, [TOPIC], start=Start.NOW, resumed=reached) as third:
        found = received(third, count=3)
        assert {record.value for record in found} == {b"before", b"between", b"beside"}


def received(follower: Follower, *, count: int) -> list[Record]:
    """Return what a follower receives, once it is so much, and a moment longer."""
    found: list[Record] = []

    def enough() -> bool:
        found.extend(follower.records(0.1))
        return len(found) >= count

    eventually(enough, timeout_seconds=20, interval_seconds=0, what=f"{count} records")
    return [*found, *follower.records(0.3)]
