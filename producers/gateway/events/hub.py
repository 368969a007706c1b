"""The hub: passes each progress event, once and in its partition's order, to the subscribers of its job or tenant.

It keeps the last events, so that a client that was disconnected for a moment resumes without reading Kafka.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from producers.gateway.events.board import Board
from producers.gateway.events.cursors import Position
from schemas.errors import JobError
from schemas.events import ProgressEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode

SUBSCRIBERS_LIMIT: Final = 2_000
"""Most subscriptions of this replica; more are refused. Each holds a connection and a queue."""

QUEUE_EVENTS: Final = 1_000
"""Most events that wait for one subscriber; a slower one is cut off, and may resume."""

RECENT_EVENTS: Final = 5_000
RECENT_BYTES: Final = 16 * 1024**2


class TooManySubscribers(Exception):
    """The limit of subscriptions is reached."""


class SlowReader(Exception):
    """The subscriber did not take its events in time; those after the last one it got are dropped."""


Delivered = tuple[Position, ProgressEvent]


@dataclass(eq=False, slots=True)
class Subscription:
    """An iterator over the events of one job, or of one tenant, from the moment of subscribing on.

    Ends when the hub stops. Raises SlowReader once a reader that was too slow has read what was kept for it.
    """

    job_id: str | None
    tenant: str | None
    since: Mapping[int, int]
    """By partition, the first offset that is wanted."""
    limit: int
    _queue: deque[Delivered] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _is_cut_off: bool = False
    _is_ended: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivered:
        """Wait for the next event. Cancelling the call loses nothing."""
        while not self._queue:
            if self._is_cut_off:
                raise SlowReader
            if self._is_ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._queue.popleft()

    @property
    def waiting(self) -> int:
        """The number of events that wait for the subscriber."""
        return len(self._queue)

    def deliver(self, delivered: Delivered) -> None:
        """Queue an event if it is wanted; the first one beyond the limit cuts the subscriber off."""
        if self._is_ended or self._is_cut_off:
            return
        position, event = delivered
        is_wanted = self.job_id in (None, event.job_id) and self.tenant in (None, event.tenant)
        if not is_wanted or position.offset < self.since.get(position.partition, 0):
            return
        if len(self._queue) >= self.limit:
            self._is_cut_off = True
        else:
            self._queue.append(delivered)
        self._changed.set()

    def end(self) -> None:
        """End the iteration once the queue is empty."""
        self._is_ended = True
        self._changed.set()


class JobHub:
    """Feeds the board and the subscribers. Belongs to one event loop; ``offer`` may be called from any thread."""

    def __init__(self, topics: Topics, loop: asyncio.AbstractEventLoop, board: Board | None = None) -> None:
        self.board = board or Board()
        self._topics = topics
        self._loop = loop
        self._subscriptions: dict[str | None, set[Subscription]] = defaultdict(set)
        """By job; under None those of all jobs."""
        self._count = 0
        self._recent: deque[tuple[Delivered, int]] = deque()
        self._recent_bytes = 0
        self._recent_from: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.stopped = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    def refuse_crowd(self) -> None:
        """Raise TooManySubscribers when there is no room for another one."""
        if self._count >= SUBSCRIBERS_LIMIT:
            raise TooManySubscribers

    @property
    def ends(self) -> Mapping[int, int]:
        """By partition, the offset after the last event that was passed on."""
        return self._ends

    def begin(self, ends: Mapping[int, int], *, complete_from: datetime) -> None:
        """Set from which offset of each partition events will be offered, and since when the board has them all.

        Call it before the first offer.
        """
        self._ends = dict(ends)
        self._recent_from = dict(ends)
        self.board.begin(complete_from)

    def offer(self, record: Record) -> None:
        """Take a record of any topic, from any thread; only those of progress count. Never blocks or raises."""
        event = self._decoded(record)
        if event is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pass_on, record, event)

    def take(self, record: Record) -> None:
        """Take a record in the loop's own thread, before the first offer."""
        event = self._decoded(record)
        if event is not None:
            self._pass_on(record, event)

    @contextmanager
    def subscribe(
        self,
        *,
        job_id: str | None = None,
        tenant: str | None = None,
        since: Mapping[int, int] | None = None,
        limit: int = QUEUE_EVENTS,
    ) -> Iterator[Subscription]:
        """Subscribe to the events of a job, of a tenant, or of all, while the context lasts.

        From now on, or from the offsets ``since`` by partition, if ``has_since``. Raises TooManySubscribers.
        """
        self.refuse_crowd()
        subscription = Subscription(job_id, tenant, since or {}, limit + RECENT_EVENTS)
        if since:
            self._deliver_recent(subscription, since)
        subscription.limit = limit + subscription.waiting
        self._subscriptions[job_id].add(subscription)
        self._count += 1
        if self.stopped.is_set():
            subscription.end()
        try:
            yield subscription
        finally:
            self._count -= 1
            self._subscriptions[job_id].discard(subscription)
            if not self._subscriptions[job_id]:
                del self._subscriptions[job_id]

    def has_since(self, offsets: Mapping[int, int]) -> bool:
        """Return whether every event from these offsets on, by partition, is among the recent ones or to come.

        A partition that no event came from yet was added to the topic, and is read from its beginning.
        """
        return all(offset >= self._recent_from.get(partition, 0) for partition, offset in offsets.items())

    def knows(self, partition: int, offset: int) -> bool:
        """Return whether an offset is among the recent events, or the next one."""
        return self._recent_from.get(partition, 0) <= offset <= self._ends.get(partition, 0)

    def stop(self) -> None:
        """End all subscriptions, now and later."""
        self.stopped.set()
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end()

    def _deliver_recent(self, subscription: Subscription, since: Mapping[int, int]) -> None:
        for delivered, _ in self._recent:
            if delivered[0].partition in since:
                subscription.deliver(delivered)

    def _decoded(self, record: Record) -> ProgressEvent | None:
        if record.topic != self._topics.progress:
            return None
        try:
            return decode(record, ProgressEvent)
        except JobError:
            return None

    def _pass_on(self, record: Record, event: ProgressEvent) -> None:
        position = Position(record.partition, record.offset)
        if position.offset < self._ends.get(position.partition, 0):
            self._begin_again(position)
        self._ends[position.partition] = position.offset + 1
        self._recent_from.setdefault(position.partition, position.offset)
        self.board.add(position, event)
        self._keep((position, event), record.size_bytes)
        subscriptions = (*self._subscriptions.get(event.job_id, ()), *self._subscriptions.get(None, ()))
        for subscription in subscriptions:
            subscription.deliver((position, event))

    def _begin_again(self, position: Position) -> None:
        """Forget a log that was replaced, since the topic was created again; subscribers have to come back."""
        self.board = Board()
        self._recent.clear()
        self._recent_bytes = 0
        self._recent_from = {**self._ends, position.partition: position.offset}
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.end()

    def _keep(self, delivered: Delivered, size_bytes: int) -> None:
        self._recent.append((delivered, size_bytes))
        self._recent_bytes += size_bytes
        while len(self._recent) > RECENT_EVENTS or self._recent_bytes > RECENT_BYTES:
            (position, _), size = self._recent.popleft()
            self._recent_bytes -= size
            self._recent_from[position.partition] = position.offset + 1
