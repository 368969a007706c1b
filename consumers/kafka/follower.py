"""Follows topics without a consumer group: every follower sees every record, and commits nothing."""

import time
from collections.abc import Sequence
from enum import Enum
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import client_configuration, is_fatal, make_client_id, open_consumer, records_of
from schemas.errors import DependencyDown
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings

METADATA_TIMEOUT_SECONDS: Final = 10.0
BATCH_RECORDS: Final = 500

LEADER_SECONDS: Final = 0.1
"""Between two questions to a partition that has no leader yet."""

_LEADERLESS: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class Start(Enum):
    """Where following begins."""

    BEGINNING = "beginning"
    NOW = "now"


class Follower:
    """Reads ``topics`` from ``start`` on. Belongs to one thread.

    NOW is settled when the constructor returns: a record that is published after that is seen. Blocks; raises
    DependencyDown when the broker does not answer or lacks a topic, ConfigurationError for properties that make
    no sense.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str], *, start: Start) -> None:
        self._consumer = open_consumer(
            settings,
            {
                # A broker answers as soon as there is something; librdkafka's own mock waits this out.
                "fetch.wait.max.ms": 50,
                # A broker that restarts is reached again; what is worth saying is said by whoever follows.
                "log_level": 2,
                **client_configuration(settings, client_id=make_client_id("follower")),
                # librdkafka wants a group id to construct a consumer; nothing is ever committed to it.
                "group.id": "kascribe-follower",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            },
        )
        try:
            self._consumer.assign(self._positions(topics, start))
        except KafkaException as error:
            self._consumer.close()
            raise DependencyDown("kafka", f"cannot follow {', '.join(topics)}: {error.args[0].str()}") from error

    def records(self, timeout_seconds: float) -> list[Record]:
        """What has arrived, in order per partition; empty after the timeout. Errors that pass are left to pass.

        Blocks no longer than until the first record is there. Raises DependencyDown when the client is broken.
        """
        try:
            # consume() waits out its timeout unless the batch is full; poll() returns with the first record.
            first = self._consumer.poll(timeout_seconds)
            messages = [] if first is None else [first, *self._consumer.consume(BATCH_RECORDS, timeout=0)]
        except (KafkaException, RuntimeError) as error:
            raise DependencyDown("kafka", f"following is over: {error}") from error
        return records_of(messages, on_error=_raise_what_is_fatal)

    def close(self) -> None:
        """Leaves the broker. Safe to repeat."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _positions(self, topics: Sequence[str], start: Start) -> list[TopicPartition]:
        positions = []
        for topic in topics:
            metadata = self._consumer.list_topics(topic, timeout=METADATA_TIMEOUT_SECONDS).topics[topic]
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            for number in metadata.partitions:
                partition = TopicPartition(topic, number)
                first, after_last = self._watermarks(partition)
                partition.offset = first if start is Start.BEGINNING else after_last
                positions.append(partition)
        return positions

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Where the partition begins and ends. A topic that was just created has no leader for a moment."""
        deadline = time.monotonic() + METADATA_TIMEOUT_SECONDS
        while True:
            try:
                first, after_last = self._consumer.get_watermark_offsets(
                    partition, timeout=METADATA_TIMEOUT_SECONDS
                )
            except KafkaException as error:
                if error.args[0].code() not in _LEADERLESS or time.monotonic() >= deadline:
                    raise
                self._consumer.poll(LEADER_SECONDS)  # nothing is assigned yet: this only waits
            else:
                return first, after_last


def _raise_what_is_fatal(error: KafkaError) -> None:
    if is_fatal(error):
        raise DependencyDown("kafka", f"following is over: {error.str()}")
