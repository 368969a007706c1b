"""Reading topics without a consumer group: every follower receives every record, and commits nothing."""

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from types import TracebackType
from typing import Final, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import client_configuration, is_fatal, make_client_id, open_consumer, records_of
from schemas.clock import Clock, SystemClock
from schemas.errors import DependencyDown
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings

METADATA_TIMEOUT_SECONDS: Final = 10.0
BATCH_RECORDS: Final = 500
POLL_SECONDS: Final = 0.2

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
    """Reader of ``topics`` from ``start`` on. Not thread-safe.

    With NOW, every record published after the constructor has returned is received. The constructor blocks; it
    raises DependencyDown when the broker does not answer or lacks a topic, ConfigurationError for invalid
    properties.
    """

    def __init__(
        self, settings: KafkaSettings, topics: Sequence[str], *, start: Start, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
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
            self._consumer.assign(self._positions(topics, start))
        except KafkaException as error:
            self._consumer.close()
            raise DependencyDown("kafka", f"cannot follow {', '.join(topics)}: {error.args[0].str()}") from error

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
                partition.offset = first if start is Start.BEGINNING else after_last
                positions.append(partition)
        return positions

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

    Best effort: records published while the broker cannot be reached are missed. ``handle`` is called on the
    thread and must not raise.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        handle: Callable[[Record], None],
        *,
        name: str,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._handle = handle
        self._reconnect_seconds = reconnect_seconds
        self._follower: Follower | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def connect(self) -> None:
        """Connect before ``start``, so that no record published from now on is missed.

        Blocks. Raises DependencyDown and ConfigurationError as ``Follower`` does.
        """
        self._follower = self._open()

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._thread.start()

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
                    "topics cannot be read; records published now are missed",
                    topics=list(self._topics),
                    error=str(error),
                )
                self._stopped.wait(self._reconnect_seconds)

    def _read(self) -> None:
        connected, self._follower = self._follower, None
        with connected or self._open() as follower:
            while not self._stopped.is_set():
                for record in follower.records(POLL_SECONDS):
                    self._handle(record)

    def _open(self) -> Follower:
        return Follower(self._settings, self._topics, start=Start.NOW)


def _raise_if_fatal(error: KafkaError) -> None:
    if is_fatal(error):
        raise DependencyDown("kafka", f"the follower's client failed: {error.str()}")
