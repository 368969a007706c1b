"""Positions of a reader that is no member of a group, kept by the broker as a group's committed offsets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import TopicPartition

from consumers.kafka.client import client_configuration, open_consumer
from consumers.kafka.partition_reader import REQUEST_TIMEOUT_SECONDS, kafka_errors
from schemas.errors import DependencyDown
from schemas.kafka.delivery import Partition
from schemas.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read, and the reader's own text beside it: 4,000 characters at most."""

    offset: int
    text: str = ""


class Positions:
    """The positions of one reader. ``name`` is that of the group, without the prefix. Not thread-safe.

    The broker drops them after ``offsets.retention.minutes`` (a week by default) without a change.
    """

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        """Open the client. Raises ConfigurationError for invalid properties."""
        self._consumer = open_consumer(
            settings,
            {
                **client_configuration(settings, client_id=f"kascribe-{name}"),
                "group.id": f"{settings.group_id_prefix}{name}",
                "enable.auto.commit": False,
            },
        )

    def read(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        """Return the positions that were written. Blocks; raises DependencyDown."""
        wanted = [TopicPartition(*partition) for partition in partitions]
        if not wanted:
            return {}
        with kafka_errors("positions cannot be read"):
            found = self._consumer.committed(wanted, timeout=REQUEST_TIMEOUT_SECONDS)
        for each in found:
            if each.error is not None:
                raise DependencyDown("kafka", f"positions cannot be read: {each.error.str()}")
        return {
            (each.topic, each.partition): Position(each.offset, each.metadata or "")
            for each in found
            if each.offset >= 0
        }

    def write(self, positions: Mapping[Partition, Position]) -> None:
        """Write positions; those of other partitions stay. Blocks; raises DependencyDown. Safe to repeat."""
        offsets = [
            TopicPartition(topic, number, position.offset, position.text)
            for (topic, number), position in positions.items()
        ]
        if not offsets:
            return
        with kafka_errors("positions cannot be written"):
            results = self._consumer.commit(offsets=offsets, asynchronous=False)
        for each in results or ():
            if each.error is not None:
                raise DependencyDown("kafka", f"positions cannot be written: {each.error.str()}")

    def close(self) -> None:
        """Close the connection to the broker. Safe to repeat."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
