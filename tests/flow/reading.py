"""Reading what is on a topic, for tests."""

import time

from confluent_kafka import Consumer, TopicPartition

from schemas.kafka.records import Record


def records_on(
    bootstrap_servers: str, topic: str, *, count: int, partitions: int = 1, timeout_seconds: float = 10.0
) -> list[Record]:
    """Read the first ``count`` records of a topic. Blocks until they are there; else raises AssertionError."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "reading", "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    records: list[Record] = []
    deadline = time.monotonic() + timeout_seconds
    while len(records) < count and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None or message.error():
            continue
        offset, partition = message.offset(), message.partition()
        assert offset is not None
        assert partition is not None
        headers = tuple(message.headers() or ())
        records.append(
            Record(topic, partition, offset, message.key(), message.value(), headers, message.timestamp()[1])  # type: ignore[arg-type]
        )
    consumer.close()
    assert len(records) == count, f"{len(records)} of {count} records came to {topic}"
    return records
