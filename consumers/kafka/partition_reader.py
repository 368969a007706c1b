"""Reading partitions from an offset to their present end, without a consumer group."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import PREFETCH_KILOBYTES, client_configuration, open_consumer, to_record
from schemas.clock import Clock, SystemClock
from schemas.errors import DependencyDown
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings

REQUEST_TIMEOUT_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 15.0
"""Longest wait for the next record of a partition that has more; after it the broker counts as down."""

_POLL_SECONDS: Final = 0.1


class PartitionReader:
    """Reads one partition after another. Not thread-safe; every method may block, and raises DependencyDown.

    ``name`` is its name for the broker: that of the client and of a group to which nothing is committed.
    """

    def __init__(self, settings: KafkaSettings, *, name: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._consumer = open_consumer(
            settings,
            {
                **client_configuration(settings, client_id=f"kascribe-{name}"),
                # librdkafka requires a group id to construct a consumer.
                "group.id": f"{settings.group_id_prefix}{name}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": PREFETCH_KILOBYTES,
                # The caller may take any time for a record.
                "max.poll.interval.ms": 86_400_000,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # Requests queue behind a fetch that waits at a partition's end; new records are not needed here.
                "fetch.wait.max.ms": 10,
            },
        )

    def partitions_by_topic(self) -> Mapping[str, list[int]]:
        """Return the numbers of the partitions of every topic."""
        with kafka_errors("no broker answers"):
            topics = self._consumer.list_topics(timeout=REQUEST_TIMEOUT_SECONDS).topics
        return {name: sorted(topic.partitions) for name, topic in topics.items()}

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last."""
        with kafka_errors(f"{partition[0]}[{partition[1]}] cannot be read"):
            return self._consumer.get_watermark_offsets(
                TopicPartition(*partition), timeout=REQUEST_TIMEOUT_SECONDS
            )

    def offset_at(self, partition: Partition, timestamp_ms: int) -> int | None:
        """Return the offset of the first record at or after a time; the partition's end if there is none yet.

        None from a broker that does not search by time, as the embedded one.
        """
        first, end = self.bounds(partition)
        found = end if first == end else self._search(partition, timestamp_ms)
        if found is None and self._search(partition, 0) is not None:
            return end
        return found

    def _search(self, partition: Partition, timestamp_ms: int) -> int | None:
        with kafka_errors(f"{partition[0]}[{partition[1]}] cannot be searched"):
            (found,) = self._consumer.offsets_for_times(
                [TopicPartition(*partition, timestamp_ms)], timeout=REQUEST_TIMEOUT_SECONDS
            )
        return found.offset if found.offset >= 0 else None

    def records(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """Yield the records from ``start`` up to ``end``; offsets may have holes, also at the end."""
        name = f"{partition[0]}[{partition[1]}]"
        if start >= end:
            return
        self._consumer.assign([TopicPartition(*partition, start)])
        last_record_at = self._clock.monotonic()
        while True:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is None:
                if self._clock.monotonic() - last_record_at > SILENCE_SECONDS:
                    raise DependencyDown("kafka", f"{name} does not go on, {end} is its end")
                continue
            error = message.error()
            if error is None:
                record = to_record(message)
                if record.offset < end:
                    yield record
                if record.offset >= end - 1:
                    return
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                return
            elif not error.retriable():
                raise DependencyDown("kafka", f"{name} cannot be read: {error.str()}")
            # The time that the caller takes for a record is no silence of the broker.
            last_record_at = self._clock.monotonic()

    def stop_fetching(self) -> None:
        """Stop the fetches that continue in the background after ``records``. Safe to repeat."""
        with kafka_errors("fetching cannot be stopped"):
            self._consumer.unassign()

    def close(self) -> None:
        """Close the connection to the broker."""
        self._consumer.close()


@contextmanager
def kafka_errors(problem: str) -> Iterator[None]:
    """Translate the client's exceptions. ``problem`` begins the message."""
    try:
        yield
    except KafkaException as error:
        raise DependencyDown("kafka", f"{problem}: {error.args[0].str()}") from error
