"""Past events of the topic, read from Kafka on demand: bounded in records, in time, and in reads at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from producers.gateway.events.cursors import Position
from producers.gateway.events.hub import Delivered, JobHub
from producers.gateway.events.ports import EventHistory
from schemas.errors import JobError
from schemas.events import ProgressEvent
from schemas.kafka.records import Record
from schemas.kafka.wire import decode

CHUNK_RECORDS: Final = 1_000
"""Of one read: memory is bounded, and other clients' reads come in between."""

PENDING_READS_LIMIT: Final = 64
"""Most reads of this replica that run or wait; more are refused."""

READ_SECONDS: Final = 10.0
"""Longest wait for one read."""

REPLAY_RECORDS: Final = 1_000_000
"""Most records, of all jobs, between a cursor and the present."""

Result = TypeVar("Result")


class HistoryUnavailable(Exception):
    """Past events cannot be read now: too many clients read them, or the broker is slow."""


class CursorGone(Exception):
    """The position is not in the topic any more, or too far back."""


@dataclass(slots=True)
class PastEvents:
    """Reads past events. Belongs to one event loop; ``reading`` executes the reads.

    Every method raises HistoryUnavailable, and DependencyDown when the broker does not answer.
    """

    history: EventHistory
    hub: JobHub
    reading: Executor
    _pending: int = field(default=0)

    async def offset_at(self, partition: int, moment: datetime) -> int | None:
        """Return where a partition's events at or after a moment begin; None where the broker cannot tell."""
        return await self._call(self.history.offset_at, partition, moment)

    async def bounds(self, partition: int) -> tuple[int, int]:
        """Return a partition's first offset and its end."""
        return await self._call(self.history.bounds, partition)

    async def check(self, offsets: dict[int, int]) -> None:
        """Raise CursorGone unless every event from these offsets on can still be read."""
        distance = 0
        for partition, offset in offsets.items():
            if partition in self.hub.ends and not self.hub.knows(partition, offset):
                first, end = await self.bounds(partition)
                if not first <= offset <= end:
                    raise CursorGone
                distance += end - offset
        if distance > REPLAY_RECORDS:
            raise CursorGone

    async def until_recent(
        self, offsets: dict[int, int], *, job_id: str | None = None, tenant: str | None = None
    ) -> AsyncIterator[Delivered]:
        """Yield past events from ``offsets`` on and move these, until the hub has everything since.

        Ends early when the hub stops. Raises CursorGone when retention overtakes the reader.
        """
        while not self.hub.has_since(offsets):
            for partition in sorted(offsets):
                while not self.hub.has_since({partition: offsets[partition]}):
                    first, end = await self.bounds(partition)
                    if not first <= offsets[partition] <= end:
                        raise CursorGone
                    async for delivered in self.between(partition, offsets, end, job_id=job_id, tenant=tenant):
                        yield delivered
                    if self.hub.stopped.is_set():
                        return

    async def between(
        self,
        partition: int,
        offsets: dict[int, int],
        end: int,
        *,
        job_id: str | None = None,
        tenant: str | None = None,
    ) -> AsyncIterator[Delivered]:
        """Yield a partition's events of a job or tenant from its offset up to ``end``, and move the offset."""
        while offsets[partition] < end and not self.hub.stopped.is_set():
            records, following = await self._call(self._read, partition, offsets[partition], end)
            for record in records:
                event = _wanted(record, job_id, tenant)
                if event is not None:
                    yield Position(partition, record.offset), event
            offsets[partition] = following

    def _read(self, partition: int, start: int, end: int) -> tuple[list[Record], int]:
        return self.history.read(partition, start, end, records_limit=CHUNK_RECORDS)

    async def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        if self._pending >= PENDING_READS_LIMIT:
            raise HistoryUnavailable
        future = asyncio.get_running_loop().run_in_executor(self.reading, function, *arguments)
        self._pending += 1
        future.add_done_callback(self._on_done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), READ_SECONDS)
        except TimeoutError as late:
            raise HistoryUnavailable from late

    def _on_done(self, future: "asyncio.Future[Result]") -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()  # retrieved, also where the client has gone


def _wanted(record: Record, job_id: str | None, tenant: str | None) -> ProgressEvent | None:
    """Return the event of a record if it is of the job and of the tenant. The key of our events is the job id."""
    if job_id is not None and record.key != job_id.encode():
        return None
    try:
        event = decode(record, ProgressEvent)
    except JobError:
        return None
    return event if tenant in (None, event.tenant) else None
