"""The past records of a topic on a real broker: found by time, deleted by retention, written in transactions."""

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from consumers.kafka.follower import FollowerThread
from consumers.kafka.history import TopicHistory
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings
from tests.contract.jobs.history_suite import HistorySuite, Log, moment
from tests.flow.events.kafka_log import kafka_log
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually


class TestTopicHistoryOnKafka(HistorySuite):
    """The suite on Apache Kafka."""

    @pytest.fixture
    def log(self, stack: PrivateStack) -> Iterator[Log]:
        """Return an empty log."""
        with kafka_log(_settings(stack), stack.new_topic(partitions=2)) as opened:
            yield opened


def test_deleted_records_move_the_beginning(stack: PrivateStack) -> None:
    """So a cursor before it is known to have missed events; a search by time does not lead before it either."""
    topic = stack.new_topic(partitions=2)
    with kafka_log(_settings(stack), topic) as log:
        log.send(0, range(10))
        admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
        (deleted,) = admin.delete_records([TopicPartition(topic, 0, 4)]).values()
        deleted.result(20)
        assert log.history.bounds(0) == (4, 10)
        assert log.history.offset_at(0, moment(0)) == 4
        records, following = log.history.read(0, 4, 10, records_limit=99)
        assert ([each.offset for each in records], following) == (list(range(4, 10)), 10)


def test_transactions_leave_holes_that_cost_nothing(stack: PrivateStack) -> None:
    """What was aborted is not seen, and a read ends at the end although the last offset has no record."""
    topic = stack.new_topic()
    producer = stack.producer(**{"transactional.id": stack.new_prefix()})
    producer.init_transactions(20)
    for number in range(6):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number, b"k")
        if number % 2:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)
    with TopicHistory(_settings(stack), topic, name="test-history") as history:
        _, end = history.bounds(0)
        records, following = history.read(0, 0, end, records_limit=99)
        assert ([each.value for each in records], following) == ([b"0", b"2", b"4"], end)
        piece, following = history.read(0, 0, end, records_limit=2)
        rest, last = history.read(0, following, end, records_limit=2)
        assert ([each.value for each in piece + rest], last) == ([b"0", b"2", b"4"], end)


def test_partitions_that_are_added_are_followed_from_their_beginning(stack: PrivateStack) -> None:
    """Nothing is missed between their creation and the moment when they are noticed, and nothing comes twice."""
    topic = stack.new_topic()
    received: list[Record] = []
    thread = FollowerThread(_settings(stack), [topic], received.append, name="test", check_seconds=0.2)
    thread.connect()
    thread.start()
    try:
        producer = stack.producer()
        producer.produce(topic, b"old", b"k", partition=0)
        producer.flush(20)
        eventually(lambda: len(received) == 1, timeout_seconds=20)
        admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result(20)

        added = stack.producer()  # the first one has not heard of it yet
        added.produce(topic, b"new", b"k", partition=2)
        added.flush(20)
        eventually(lambda: any(each.partition == 2 for each in received), timeout_seconds=30)
        producer.produce(topic, b"old too", b"k", partition=0)
        producer.flush(20)
        eventually(lambda: any(each.value == b"old too" for each in received), timeout_seconds=20)
    finally:
        thread.stop()
    places = [(each.partition, each.offset) for each in received]
    assert sorted(places) == [(0, 0), (0, 1), (2, 0)]


def _settings(stack: PrivateStack) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=stack.bootstrap_servers)
