"""A reader of committed records, and samples of the group's commits, each on a thread of its own."""

import threading
from collections.abc import Callable
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from tests.chaos.delivery.checker import Position

SAMPLE_SECONDS: Final = 0.3
CALL_SECONDS: Final = 5.0


class Reader:
    """Values on a topic, as a reader with ``read_committed`` sees them."""

    def __init__(self, servers: str, topic: str, *, partitions: int) -> None:
        self.values: list[str] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        self._thread = _Repeated(self._read)

    def _read(self) -> None:
        messages = self._consumer.consume(500, 0.2)
        self.values += [(each.value() or b"").decode() for each in messages if each.error() is None]

    def close(self) -> None:
        """Stop reading."""
        self._thread.stop()
        self._consumer.close()


class CommitSampler:
    """The committed offsets of a group, sampled while brokers come and go."""

    def __init__(self, servers: str, group: str, topic: str, *, partitions: int) -> None:
        self.samples: list[Position] = []
        self._asked = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "log_level": 0})
        self._thread = _Repeated(self._sample, pause_seconds=SAMPLE_SECONDS)

    def _sample(self) -> None:
        try:
            found = self._consumer.committed(self._asked, timeout=CALL_SECONDS)
        except KafkaException:
            return  # the coordinator moves
        self.samples += [
            (each.topic, each.partition, each.offset) for each in found if each.error is None and each.offset >= 0
        ]

    def close(self) -> None:
        """Stop sampling."""
        self._thread.stop()
        self._consumer.close()


class _Repeated:
    """A call that is repeated on a thread until ``stop``."""

    def __init__(self, call: Callable[[], None], *, pause_seconds: float = 0.0) -> None:
        self._call = call
        self._pause_seconds = pause_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause_seconds):
            self._call()
