"""The local stack keeps what it promises, and the servers behave as the design assumes."""

import json
import time
from typing import Final
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from tests.integration.stack import PrivateStack

FIRST_NOTIFICATION_SECONDS: Final = 2.0
COMMIT_METADATA_LIMIT_CHARACTERS: Final = 4_095


def objects_announced(messages: list[Message]) -> list[tuple[str, str, str]]:
    """Return key, version and sequencer of every announced object, in order."""
    objects = [json.loads(message.value() or b"{}")["Records"][0]["s3"]["object"] for message in messages]
    return [(unquote_plus(each["key"]), each["versionId"], each["sequencer"]) for each in objects]


def test_a_dropped_object_is_announced_at_once_and_then_again_as_the_same_thing(stack: PrivateStack) -> None:
    """Both targets deliver, the first without waiting; version and sequencer are equal, so identity is too."""
    topic = stack.new_topic()
    bucket = stack.new_bucket(notify_topic=topic)
    dropped_at = time.monotonic()
    version = stack.s3.put_object(Bucket=bucket, Key="회의 녹음/a+b.wav", Body=b"RIFF")["VersionId"]
    first = stack.records(topic, lambda seen: len(seen) >= 1)[0]
    elapsed_seconds = time.monotonic() - dropped_at

    announced = objects_announced(stack.records(topic, lambda seen: len(seen) >= 2))
    assert elapsed_seconds < FIRST_NOTIFICATION_SECONDS
    assert first.key() == f"{bucket}/회의 녹음/a+b.wav".encode()
    assert announced[0] == announced[1]
    assert announced[0][:2] == ("회의 녹음/a+b.wav", version)


def test_objects_dropped_while_kafka_is_away_are_announced_when_it_is_back(stack: PrivateStack) -> None:
    """The queued target holds events on disk, so an outage of Kafka loses none of them."""
    topic = stack.new_topic()
    bucket = stack.new_bucket(notify_topic=topic)
    dropped = {f"{index}.wav" for index in range(5)}
    stack.servers.kafka_stop()
    try:
        for key in dropped:
            stack.s3.put_object(Bucket=bucket, Key=key, Body=b"RIFF")
    finally:
        stack.servers.kafka_start()

    def all_announced(seen: list[Message]) -> bool:
        return {key for key, _, _ in objects_announced(seen)} == dropped

    assert all_announced(stack.records(topic, all_announced))


def test_records_survive_a_killed_broker(stack: PrivateStack) -> None:
    """A broker killed after it acknowledged a record still has it when it returns on the same port."""
    topic = stack.new_topic()
    producer = stack.producer()
    producer.produce(topic, b"kept")
    assert producer.flush(10) == 0
    stack.servers.kafka_kill()
    stack.servers.kafka_start()
    assert [message.value() for message in stack.records(topic, lambda seen: len(seen) == 1)] == [b"kept"]


def test_an_object_is_created_only_once_on_request(stack: PrivateStack) -> None:
    """`If-None-Match: *` makes the second writer fail; the job's identity rests on it."""
    bucket = stack.new_bucket()
    stack.s3.put_object(Bucket=bucket, Key="result", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        stack.s3.put_object(Bucket=bucket, Key="result", Body=b"second", IfNoneMatch="*")
    assert stack.s3.get_object(Bucket=bucket, Key="result")["Body"].read() == b"first"


def test_commit_metadata_is_limited_to_4095_characters(stack: PrivateStack) -> None:
    """The gap map's budget of 4,000 characters fits what a broker with default settings takes."""
    topic = stack.new_topic()
    consumer = stack.consumer()
    try:
        fits = TopicPartition(topic, 0, 1, metadata="x" * COMMIT_METADATA_LIMIT_CHARACTERS)
        consumer.commit(offsets=[fits], asynchronous=False)
        too_long = TopicPartition(topic, 0, 2, metadata="x" * (COMMIT_METADATA_LIMIT_CHARACTERS + 1))
        with pytest.raises(KafkaException) as refused:
            consumer.commit(offsets=[too_long], asynchronous=False)
        kept = consumer.committed([TopicPartition(topic, 0)], timeout=10)[0]
    finally:
        consumer.close()
    assert refused.value.args[0].code() == KafkaError.OFFSET_METADATA_TOO_LARGE
    assert kept.offset == 1
    assert kept.metadata == fits.metadata
