"""The past records of one topic, read on demand by several threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Self

from consumers.kafka.partition_reader import PartitionReader
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings


class TopicHistory:
    """Reads parts of a topic's partitions. Thread-safe; every method blocks, and raises DependencyDown.

    Each thread that reads at the same time has a client of its own; clients are kept for the next reads.
    """

    def __init__(self, settings: KafkaSettings, topic: str, *, name: str) -> None:
        self._settings = settings
        self._topic = topic
        self._name = name
        self._idle: list[PartitionReader] = []
        self._lock = threading.Lock()

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last."""
        with self._reader() as reader:
            return reader.bounds((self._topic, partition))

    def offset_at(self, partition: int, moment: datetime) -> int | None:
        """Return where the records at or after a moment begin; see ``PartitionReader.offset_at``."""
        with self._reader() as reader:
            return reader.offset_at((self._topic, partition), int(moment.timestamp() * 1000))

    def read(self, partition: int, start: int, end: int, *, records_limit: int) -> tuple[list[Record], int]:
        """Return the records from ``start`` up to ``end``, so many at most, and the offset to continue from."""
        with self._reader() as reader:
            records = reader.records((self._topic, partition), start, end)
            found = list(islice(records, records_limit))
            reader.stop_fetching()
        return found, found[-1].offset + 1 if len(found) == records_limit else end

    def close(self) -> None:
        """Close the clients; call it when no thread reads any more. Safe to repeat."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reader(self) -> Iterator[PartitionReader]:
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        reader = reader or PartitionReader(self._settings, name=self._name)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._idle.append(reader)
