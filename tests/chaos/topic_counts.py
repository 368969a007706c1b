"""The keys that were written to a topic, in order, for tests that count what came out."""

import json
import threading

from confluent_kafka import Consumer, TopicPartition

from schemas.kafka.records import Record


class KeysOn:
    """A reader of a topic from its beginning, on its own thread."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "counting", "log_level": 0})
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        self._records: list[tuple[str, bytes]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def seen(self) -> list[str]:
        """Return all keys so far; a key that was written twice is there twice."""
        return [key for key, _ in self._records]

    def extra(self) -> tuple[int, int]:
        """Count records beyond one for each key so far: doubled, with another value, and repeated, byte for byte.

        Counted from the beginning, so that a late record is not missed.
        """
        records = tuple(self._records)
        different = set(records)
        return len(different) - len({key for key, _ in different}), len(records) - len(different)

    def close(self) -> None:
        """Stop reading."""
        self._stopped.set()
        self._thread.join()
        self._consumer.close()

    @staticmethod
    def job_of(record: Record) -> str:
        """Return the job that an event is about, which is its key."""
        return str(json.loads(record.value or b"{}")["job_id"])

    def _follow(self) -> None:
        while not self._stopped.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and not message.error():
                self._records.append(((message.key() or b"").decode(), message.value() or b""))
