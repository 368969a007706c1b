"""Whether a consumer group has completed everything that is on a topic."""

from typing import Final

from confluent_kafka import Consumer, TopicPartition

from schemas.settings import KafkaSettings

REQUEST_TIMEOUT_SECONDS: Final = 10.0


def committed_everything(settings: KafkaSettings, topic: str, *, group: str) -> bool:
    """Return whether every partition's committed offset is its end. Joins no group and commits nothing."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": group})
    try:
        numbers = consumer.list_topics(topic, timeout=REQUEST_TIMEOUT_SECONDS).topics[topic].partitions
        partitions = [TopicPartition(topic, number) for number in numbers]
        for committed in consumer.committed(partitions, timeout=REQUEST_TIMEOUT_SECONDS):
            first, after_last = consumer.get_watermark_offsets(
                TopicPartition(topic, committed.partition), timeout=REQUEST_TIMEOUT_SECONDS
            )
            if first < after_last and committed.offset < after_last:
                return False
        return True
    finally:
        consumer.close()
