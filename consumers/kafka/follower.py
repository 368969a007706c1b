"""Reading topics without a consumer group: every follower receives every record, and commits nothing."""

import threading
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Final, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import client_configuration, is_fatal, make_client_id, open_consumer, records_of
from schemas.clock import Clock, SystemClock
from schemas.errors import DependencyDown
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings

METADATA_TIMEOUT_SECONDS: Final = 10.0
BATCH_RECORDS: Final = 500
POLL_SECONDS: Final = 0.2

PARTITIONS_CHECK_SECONDS: Final = 30.0
"""Between two looks for partitions that were added to the topics."""

LEADER_RETRY_SECONDS: Final = 0.1
"""Between two requests for a partition that has no leader yet."""

RECONNECT_SECONDS: Final = 5.0
"""Before a follower whose client failed is replaced by a new one."""

STOP_SECONDS: Final = 1.0

_log: Final = structlog.get_logger(__name__)
_LEADERLESS: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class Start(Enum):
    """The position from which a follower reads."""

    BEGINNING = "beginning"
    NOW = "now"


class Follower:
    """Reader of ``topics`` from ``start`` on, or from where another follower had come to. Not thread-safe.

    With NOW, every record published after the constructor has returned is received. ``resumed`` are offsets by
    partition; where one is not in its partition any more, or a partition was added, its first offset is used. The
    constructor blocks; it raises DependencyDown when the broker does not answer or lacks a topic,
    ConfigurationError for invalid properties.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        *,
        start: Start,
        resumed: Mapping[Partition, int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._resumed = resumed or {}
        self._consumer = open_consumer(
            settings,
            {
                # A broker answers as soon as it has a record; librdkafka's own mock waits this out.
                "fetch.wait.max.ms": 50,
                # librdkafka reconnects to a broker that restarts; the follower's owner logs what matters.
                "log_level": 2,
                **client_configuration(settings, client_id=make_client_id("follower")),
                # librdkafka requires a group id to construct a consumer; nothing is ever committed to it.
                "group.id": "kascribe-follower",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            },
        )
        try:
            positions = self._positions(topics, start)
            self._consumer.assign(positions)
        except KafkaException as error:
            self._consumer.close()
            raise DependencyDown("kafka", f"cannot follow {', '.join(topics)}: {error.args[0].str()}") from error
        self.starts: Mapping[Partition, int] = {(each.topic, each.partition): each.offset for each in positions}

    def records(self, timeout_seconds: float) -> list[Record]:
        """Return the records that have arrived, in order per partition; empty after the timeout.

        Blocks until the first record or the timeout. Transient errors are ignored; raises DependencyDown when the
        client cannot recover.
        """
        try:
            # consume() waits for its whole timeout unless the batch is full; poll() returns with the first record.
            first = self._consumer.poll(timeout_seconds)
            messages = [] if first is None else [first, *self._consumer.consume(BATCH_RECORDS, timeout=0)]
        except (KafkaException, RuntimeError) as error:
            raise DependencyDown("kafka", f"the follower's client failed: {error}") from error
        return records_of(messages, on_error=_raise_if_fatal)

    def lacks_partitions(self) -> bool:
        """Return whether a topic has partitions that are not read. Blocks for a request; False if it fails."""
        try:
            existing = {
                (topic, number)
                for topic in {topic for topic, _ in self.starts}
                for number in self._consumer.list_topics(topic, timeout=METADATA_TIMEOUT_SECONDS)
                .topics[topic]
                .partitions
            }
        except KafkaException:
            return False
        return not existing <= self.starts.keys()

    def close(self) -> None:
        """Disconnect from the broker. Safe to repeat."""
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
                partition.offset = self._start(partition, start, first=first, after_last=after_last)
                positions.append(partition)
        return positions

    def _start(self, partition: TopicPartition, start: Start, *, first: int, after_last: int) -> int:
        resumed = self._resumed.get((partition.topic, partition.partition))
        if resumed is not None:
            return resumed if first <= resumed <= after_last else first
        # Beside others that are resumed, a partition is new: it was added since.
        return first if start is Start.BEGINNING or self._resumed else after_last

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the partition's first offset and its end. A topic that was just created has no leader for a
        moment.
        """
        deadline = self._clock.monotonic() + METADATA_TIMEOUT_SECONDS
        while True:
            try:
                first, after_last = self._consumer.get_watermark_offsets(
                    partition, timeout=METADATA_TIMEOUT_SECONDS
                )
            except KafkaException as error:
                if error.args[0].code() not in _LEADERLESS or self._clock.monotonic() >= deadline:
                    raise
                self._consumer.poll(LEADER_RETRY_SECONDS)  # nothing is assigned yet: this only waits
            else:
                return first, after_last


class FollowerThread:
    """Thread that passes every new record of ``topics`` to ``handle``, with a new follower after each failure.

    A new follower continues where the last one ended, so it misses only records that retention has deleted.
    Partitions that are added to the topics are read from their beginning, ``check_seconds`` later at most.
    ``handle`` is called on the thread and must not raise.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        handle: Callable[[Record], None],
        *,
        name: str,
        reconnect_seconds: float = RECONNECT_SECONDS,
        check_seconds: float = PARTITIONS_CHECK_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._handle = handle
        self._reconnect_seconds = reconnect_seconds
        self._check_seconds = check_seconds
        self._clock = clock or SystemClock()
        self._follower: Follower | None = None
        self._next: dict[Partition, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def connect(self) -> None:
        """Connect before ``start``, so that no record published from now on is missed.

        Blocks. Raises DependencyDown and ConfigurationError as ``Follower`` does.
        """
        self._follower = self._open()

    def starts(self, topic: str) -> dict[int, int]:
        """Return the offsets from which the topic's partitions are read: call it between connect and start."""
        return {number: offset for (name, number), offset in self._next.items() if name == topic}

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs. It ends by itself only through a defect."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread. Blocks for STOP_SECONDS at most: one that is waiting for a broker is left behind."""
        self._stopped.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except DependencyDown as error:
                _log.warning(
                    "topics cannot be read; what is published now is read later",
                    topics=list(self._topics),
                    error=str(error),
                )
                self._stopped.wait(self._reconnect_seconds)

    def _read(self) -> None:
        connected, self._follower = self._follower, None
        with connected or self._open() as follower:
            check_at = self._clock.monotonic() + self._check_seconds
            while not self._stopped.is_set():
                if self._clock.monotonic() >= check_at:
                    if follower.lacks_partitions():
                        return
                    check_at = self._clock.monotonic() + self._check_seconds
                for record in follower.records(POLL_SECONDS):
                    self._next[record.topic, record.partition] = record.offset + 1
                    self._handle(record)

    def _open(self) -> Follower:
        follower = Follower(self._settings, self._topics, start=Start.NOW, resumed=self._next)
        self._next = dict(follower.starts)
        return follower


def _raise_if_fatal(error: KafkaError) -> None:
    if is_fatal(error):
        raise DependencyDown("kafka", f"the follower's client failed: {error.str()}")
