"""What only a real broker shows: topics, limits of records and of commit metadata, dead letters sent back."""

import random

import pytest
from confluent_kafka import TopicPartition

from consumers.dead_letters import DeadLetterReader
from consumers.runtime.offsets.gap_map import METADATA_CHARACTERS_LIMIT
from consumers.runtime.offsets.ledger import PartitionLedger
from producers.dead_letters import Redrive
from producers.outbox import AtLeastOnceOutbox
from producers.publisher import Publisher
from producers.topics import ensure_topics
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.delivery import Batch, Commit, Delivery
from schemas.kafka.records import OutgoingRecord, Record
from schemas.settings import KafkaSettings
from tests.flow.reading import records_on
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually


@pytest.fixture
def settings(stack: PrivateStack) -> KafkaSettings:
    """Return settings for the real broker, with topics under a prefix of the test's own."""
    return KafkaSettings(bootstrap_servers=stack.bootstrap_servers, topic_prefix=stack.new_prefix())


def test_topics_are_created_once_and_dead_letters_may_be_larger(settings: KafkaSettings) -> None:
    """A record of a megabyte that fails still fits into the dead-letter topic, with all the headers it gains."""
    topic = f"{settings.topic_prefix}audio.references"
    assert ensure_topics(settings, {topic: 3, f"{topic}.dlq": 1}) == (topic, f"{topic}.dlq")
    assert ensure_topics(settings, {topic: 3, f"{topic}.dlq": 1}) == ()
    failed = Record(topic, 0, 1, b"k", b"v" * 1_048_000)
    letter = dead_letters.write(failed, Cause("internal_error", "m" * 5_000), Site("s", "g", 1), attempt=1)
    with Publisher(settings) as publisher:
        publisher.publish([letter])
    (read,) = records_on(settings.bootstrap_servers, f"{topic}.dlq", count=1)
    assert read.value == failed.value


def test_missing_topics_that_may_not_be_created_are_an_error(settings: KafkaSettings) -> None:
    """The message names them."""
    topic = f"{settings.topic_prefix}audio.references"
    with pytest.raises(ConfigurationError, match=r"audio\.references"):
        ensure_topics(settings.model_copy(update={"create_topics": False}), {topic: 1})


def test_the_widest_gap_map_is_taken_and_given_back(settings: KafkaSettings, stack: PrivateStack) -> None:
    """A full window at worst-case entropy goes through a commit, character by character."""
    topic = f"{settings.topic_prefix}audio.references"
    ensure_topics(settings, {topic: 1})
    chance = random.Random(1)
    ledger = PartitionLedger(committed=Commit(0))
    offset = 0
    while ledger.can_receive():
        ledger.receive(offset)
        offset += 1
    for complete in range(1, offset):
        if chance.random() < 0.5:
            ledger.complete(complete)
    commit = ledger.commit()
    assert commit is not None
    assert METADATA_CHARACTERS_LIMIT - 100 < len(commit.metadata) <= METADATA_CHARACTERS_LIMIT
    consumer = stack.consumer()
    consumer.commit(offsets=[TopicPartition(topic, 0, commit.offset, commit.metadata)], asynchronous=False)
    (stored,) = consumer.committed([TopicPartition(topic, 0)], timeout=10)
    consumer.close()
    assert (stored.offset, stored.metadata) == (commit.offset, commit.metadata)


def test_an_output_that_the_broker_refuses_is_replaced(settings: KafkaSettings) -> None:
    """The broker's own limit, a megabyte, is below the client's: the batch settles, a dead letter reports it."""
    topic = f"{settings.topic_prefix}audio.transcripts"
    ensure_topics(settings, {topic: 1, f"{topic}.dlq": 1})
    outbox = AtLeastOnceOutbox(settings)
    settled: list[Delivery] = []
    incompressible = random.Random(1).randbytes(2_000_000)
    outbox.submit(Batch((OutgoingRecord(topic, b"k", incompressible),)), settled.append)
    outbox.submit(Batch((OutgoingRecord(topic, b"k", b"small"),)), settled.append)
    eventually(lambda: len(settled) == 2, timeout_seconds=20.0)
    assert outbox.close(timeout_seconds=5.0)
    (letter,) = records_on(settings.bootstrap_servers, f"{topic}.dlq", count=1)
    assert letter.header(dead_letters.VALUE_SIZE_BYTES) == b"2000000"
    (small,) = records_on(settings.bootstrap_servers, topic, count=1)
    assert small.value == b"small"


def test_dead_letters_go_back_once_also_after_every_offset_has_expired(
    settings: KafkaSettings, stack: PrivateStack
) -> None:
    """Marks are kept in a compacted topic: they last as long as the letters, whatever a group's offsets do."""
    topic = f"{settings.topic_prefix}audio.references"
    retries = f"{topic}.retry.10s"
    ensure_topics(settings, {topic: 1, retries: 1, f"{topic}.dlq": 2})
    site = Site("transcriber", "group", failed_ms=1)
    with Publisher(settings) as publisher:
        publisher.publish(
            dead_letters.write(Record(topic, 0, n, str(n).encode(), b"v"), Cause("r", "m"), site, attempt=1)
            for n in range(20)
        )
        counts = []
        for _ in range(3):
            with DeadLetterReader(settings, [f"{topic}.dlq"]) as reader:
                todo = [found.letter for found in reader.read() if not found.redriven]
                sender = Redrive(settings, publisher, reader.destination, clock=SystemClock())
                counts.append(sender.send(todo).count)
            stack.delete_groups(settings.group_id_prefix)
    assert counts == [20, 0, 0]
    consumer = stack.consumer()
    assert consumer.get_watermark_offsets(TopicPartition(retries, 0), timeout=10) == (0, 20)
    consumer.close()
    assert stack.topic_property(f"{settings.topic_prefix}audio.redriven", "cleanup.policy") == "compact"
