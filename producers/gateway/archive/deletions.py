"""Jobs that were deleted a moment ago: the archive learns of it from the same topic, and may be later."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, TypeVar

from producers.archive.answers import JobSummary
from producers.archive.filters import milliseconds_of
from schemas.errors import JobError
from schemas.kafka import wire
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.records import Record

REMEMBERED_DELETIONS: Final = 10_000
"""More than an archive is behind by. The oldest are forgotten first."""

Shown = TypeVar("Shown")


class RecentDeletions:
    """Deletions that this gateway made, or read from the topic. Safe from any thread; nothing blocks or raises."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._deleted_at_ms: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def offer(self, record: Record) -> None:
        """Take a record of any topic; only those of deletions count."""
        if record.coordinates.topic != self._topic:
            return
        try:
            event = wire.decode(record, DeletionEvent)
        except JobError:
            return
        self.add(event)

    def add(self, event: DeletionEvent) -> None:
        """Remember a deletion."""
        with self._lock:
            # Rounded up: the archive rounds the moments of the events before it.
            self._deleted_at_ms[event.job_id] = milliseconds_of(event.occurred_at) + 1
            self._deleted_at_ms.move_to_end(event.job_id)
            if len(self._deleted_at_ms) > REMEMBERED_DELETIONS:
                self._deleted_at_ms.popitem(last=False)

    def without(self, jobs: Iterable[JobSummary]) -> list[JobSummary]:
        """Return the jobs but for those that were deleted, unless they were requested again since."""
        return [job for job in jobs if not self.has(job)]

    def has(self, job: JobSummary) -> bool:
        """Return whether a job was deleted after all that the archive knows of it."""
        with self._lock:
            deleted_at_ms = self._deleted_at_ms.get(job.job_id)
        return deleted_at_ms is not None and milliseconds_of(job.updated_at) <= deleted_at_ms
