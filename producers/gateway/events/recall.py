"""Jobs that began before the board did: what the topic has of them, read once."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from producers.gateway.events.board import Entry
from producers.gateway.events.past import HistoryUnavailable, PastEvents
from producers.gateway.events.progress import SKEW, JobProgress, add_event
from producers.gateway.events.state import KnownJob, has_enrichment_ended, requests_enrichment
from schemas.clock import Clock
from schemas.kafka.partitions import partition_of

RECALL_RECORDS: Final = 50_000
"""Most records, of all jobs, that are read for one job: the latest."""

RECALL_SECONDS: Final = 10.0
"""Longest wait of one client; the search continues, and a later request finds its result."""

LOOK_BACK: Final = timedelta(hours=24)
"""For a job without a known beginning."""


def missing_since(known: KnownJob, *, now: datetime) -> datetime | None:
    """Return since when events may be missing that change how the job stands; None when there are none. Pure."""
    progress, finished = known.progress, known.finished
    if finished is not None:
        is_decided = not requests_enrichment(finished.event) or has_enrichment_ended(finished.event, known)
        return None if is_decided or (progress and progress.enricher) else finished.event.occurred_at
    if progress is not None and progress.is_whole:
        return None
    if known.accepted is not None:
        return known.accepted.accepted_at
    if known.failures and progress is None:
        return max(failed.failed_at for failed in known.failures)
    return (progress.first_at if progress else now) - LOOK_BACK


@dataclass(slots=True)
class Recall:
    """Completes jobs on the board. Belongs to one event loop.

    ``is_murmur2``: keys are partitioned as Kafka's default does; otherwise every partition is searched.
    """

    past: PastEvents
    clock: Clock
    is_murmur2: bool = True
    _running: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    def is_needed(self, job_id: str, known: KnownJob) -> bool:
        """Return whether the topic may have events of the job that are neither known nor on the board."""
        board = self.past.hub.board
        since = missing_since(known, now=self.clock.now())
        return since is not None and not board.covers(since) and not board.is_absent(job_id)

    async def progress(self, job_id: str, known: KnownJob) -> JobProgress | None:
        """Return the progress of a job with the events that the board lacked. Raises as ``PastEvents`` does."""
        running = self._running.get(job_id)
        if running is None:
            now = self.clock.now()
            since = missing_since(known, now=now) or now
            running = self._running[job_id] = asyncio.create_task(self._complete(job_id, since - SKEW))
            running.add_done_callback(partial(self._on_done, job_id))
        try:
            async with asyncio.timeout(RECALL_SECONDS):
                await asyncio.shield(running)
        except TimeoutError as late:
            raise HistoryUnavailable from late
        entry = self.past.hub.board.find(job_id)
        return entry.progress if entry else None

    def partitions_of(self, job_id: str) -> tuple[int, ...]:
        """Return the partitions that may have the job's events."""
        board = self.past.hub.board
        entry = board.find(job_id)
        if entry is not None:
            return (entry.first.partition,)
        known = tuple(self.past.hub.ends)
        return (partition_of(job_id.encode(), len(known)),) if known and self.is_murmur2 else known

    async def _complete(self, job_id: str, since: datetime) -> None:
        hub = self.past.hub
        earlier: Entry | None = None
        for partition in self.partitions_of(job_id):
            entry = hub.board.find(job_id)
            # What arrives from now on is on the board already.
            end = entry.first.offset if entry else hub.ends.get(partition, 0)
            start = max(await self.past.offset_at(partition, since) or 0, end - RECALL_RECORDS, 0)
            async for position, event in self.past.between(partition, {partition: start}, end, job_id=job_id):
                progress = add_event(earlier.progress if earlier else None, event)
                earlier = Entry(progress, earlier.first if earlier else position, position)
        hub.board.complete(job_id, earlier)

    def _on_done(self, job_id: str, running: "asyncio.Task[None]") -> None:
        del self._running[job_id]
        if not running.cancelled():
            running.exception()  # retrieved, also where every client has gone
