"""The interfaces that states and streams of jobs need from the rest of the system; the wiring provides them."""

from datetime import datetime
from typing import Protocol

from producers.gateway.events.state import KnownJob
from schemas.kafka.records import Record


class JobObjects(Protocol):
    """The objects of jobs in the bucket. Thread-safe."""

    def known(self, job_id: str) -> KnownJob:
        """Return the objects of a job. Blocks; safe to repeat; raises DependencyDown."""
        ...


class EventHistory(Protocol):
    """The past records of the topic of progress. Thread-safe; every method blocks, and raises DependencyDown."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last."""
        ...

    def offset_at(self, partition: int, moment: datetime) -> int | None:
        """Return the offset of the first record at or after a moment; the end without one; None if unknown."""
        ...

    def read(self, partition: int, start: int, end: int, *, records_limit: int) -> tuple[list[Record], int]:
        """Return the records from ``start`` up to ``end``, so many at most, and the offset to continue from."""
        ...
