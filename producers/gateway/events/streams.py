"""The streams of events: past ones from the topic, then those to come, without a gap and without a repetition."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from producers.gateway.events.cursors import Frontier, Position
from producers.gateway.events.hub import Delivered, SlowReader, Subscription, TooManySubscribers
from producers.gateway.events.messages import cut_off, last_message_of, message_of
from producers.gateway.events.past import CursorGone, HistoryUnavailable, PastEvents
from producers.gateway.events.sse import RETRY_MILLISECONDS, Message
from producers.gateway.events.state import JobState
from producers.gateway.events.states import JobStates
from schemas.errors import DependencyDown
from schemas.events import FINAL_PHASES

MARGIN: Final = timedelta(seconds=60)
"""Before a job's beginning and after its end: clocks differ, and a broker may be down for a moment."""

HELLO: Final = Message(retry_milliseconds=RETRY_MILLISECONDS)


GRACE_SECONDS: Final = 5.0
"""For the last event of a job with a result that is in the bucket already."""

HEARTBEAT: Final = "heartbeat"


@dataclass(frozen=True, slots=True)
class JobStream:
    """The events of one job, as far as its caller's tenant sees them. ``tenant`` is None for any tenant's."""

    states: JobStates
    state: JobState
    tenant: str | None

    async def open(self, after: Position | None) -> AsyncGenerator[Message, None] | None:
        """Return the messages after a position; without one, all of the job that the topic still has.

        None when the job has ended and there are none. Raises CursorGone, HistoryUnavailable and DependencyDown.
        """
        if after is not None:
            offsets = {after.partition: after.offset + 1}
            await self._past.check(offsets)
            if self.state.is_final and self._is_reported(self.state) and self._is_last(after):
                return None
        else:
            offsets = await self._beginning()
        if not self.state.is_final or self.states.recall.clock.now() - self.state.updated_at < MARGIN:
            return _resumable(self._until_end(offsets))
        events = self._between(offsets, await self._ends(offsets))
        first = await anext(events, None)
        if first is None and after is not None:
            return None
        return _resumable(self._ended(first, events, offsets))

    def heartbeat(self) -> Message:
        """Return what is sent when there is no event."""
        return Message(comment=HEARTBEAT)

    @property
    def _past(self) -> PastEvents:
        return self.states.recall.past

    async def _beginning(self) -> dict[int, int]:
        """Return by partition where the job's events begin."""
        job_id, board = self.state.job_id, self.states.hub.board
        begun_at = min(self.state.accepted_at or self.state.updated_at, self.state.updated_at)
        entry = board.find(job_id)
        if entry is not None and board.covers(begun_at):
            return {entry.first.partition: entry.first.offset}
        return {
            partition: max(
                await self._past.offset_at(partition, begun_at - MARGIN) or 0,
                (await self._past.bounds(partition))[0],
            )
            for partition in self.states.recall.partitions_of(job_id)
        }

    async def _ends(self, offsets: dict[int, int]) -> dict[int, int]:
        """Return by partition where the events of a job that has ended are over."""
        ends = {}
        for partition in offsets:
            end = await self._past.offset_at(partition, self.state.updated_at + MARGIN)
            ends[partition] = (await self._past.bounds(partition))[1] if end is None else end
        return ends

    async def _between(self, offsets: dict[int, int], ends: dict[int, int]) -> AsyncGenerator[Delivered, None]:
        for partition, end in ends.items():
            found = self._past.between(partition, offsets, end, job_id=self.state.job_id, tenant=self.tenant)
            async for delivered in found:
                yield delivered

    async def _ended(
        self, first: Delivered | None, events: AsyncGenerator[Delivered, None], offsets: dict[int, int]
    ) -> AsyncGenerator[Message, None]:
        """Yield the events of a job that ended before; where its last one is deleted, one that says the same."""
        ended: set[str] = set()
        yield HELLO
        if first is not None:
            yield _message(first, ended)
            async for delivered in events:
                yield _message(delivered, ended)
        if self.state.stage not in ended:
            yield self._last_message(self.state, offsets)

    async def _until_end(self, offsets: dict[int, int]) -> AsyncGenerator[Message, None]:
        job_id, ended = self.state.job_id, set[str]()
        yield HELLO
        async for delivered in self._past.until_recent(offsets, job_id=job_id, tenant=self.tenant):
            yield _message(delivered, ended)
        with self.states.hub.subscribe(job_id=job_id, tenant=self.tenant, since=offsets) as subscription:
            state = await self.states.find(job_id)
            while state is not None:
                is_over = state.is_final and not subscription.waiting
                if is_over and (state.stage in ended or self._is_reported(state)):
                    return
                try:
                    async with asyncio.timeout(GRACE_SECONDS if is_over else None):
                        following = await anext(subscription, None)
                except TimeoutError:
                    yield self._last_message(state, offsets)
                    return
                if following is None:
                    return
                yield _message(following, ended)
                if following[1].phase in FINAL_PHASES:
                    state = await self.states.find(job_id)

    def _is_reported(self, state: JobState) -> bool:
        """Return whether the event that ended the job was passed on already."""
        entry = self.states.hub.board.find(state.job_id)
        event = entry.progress.last.get(state.stage) if entry else None
        return event is not None and event.phase in FINAL_PHASES

    def _is_last(self, after: Position) -> bool:
        entry = self.states.hub.board.find(self.state.job_id)
        return entry is not None and after >= entry.last

    def _last_message(self, state: JobState, offsets: dict[int, int]) -> Message:
        partition, offset = max(offsets.items(), key=lambda each: each[1])
        return last_message_of(state, str(Position(partition, max(offset - 1, 0))))


class TenantStream:
    """The events of all jobs of one tenant, or of all tenants (None). It has no end of its own."""

    def __init__(self, states: JobStates, tenant: str | None) -> None:
        self._hub = states.hub
        self._past = states.recall.past
        self._tenant = tenant
        self._frontier = Frontier.of(self._hub.ends)
        self._subscription: Subscription | None = None

    async def open(self, after: Frontier | None) -> AsyncGenerator[Message, None]:
        """Return the messages after a cursor, or from now on.

        Raises CursorGone, HistoryUnavailable and DependencyDown.
        """
        if after is not None:
            self._frontier = await self._with_new_partitions(after)
        offsets = dict(enumerate(self._frontier.offsets))
        await self._past.check(offsets)
        return _resumable(self._messages(offsets))

    def heartbeat(self) -> Message:
        """Return what is sent when there is no event: also the cursor, since other tenants' events went by."""
        if self._subscription is not None and not self._subscription.waiting:
            for partition, end in self._hub.ends.items():
                self._frontier = self._frontier.after(Position(partition, end - 1))
        return Message(comment=HEARTBEAT, id=str(self._frontier))

    async def _messages(self, offsets: dict[int, int]) -> AsyncGenerator[Message, None]:
        yield Message(retry_milliseconds=RETRY_MILLISECONDS, id=str(self._frontier))
        async for delivered in self._past.until_recent(offsets, tenant=self._tenant):
            yield self._message(delivered)
        with self._hub.subscribe(tenant=self._tenant, since=offsets) as subscription:
            self._subscription = subscription
            async for delivered in subscription:
                yield self._message(delivered)

    async def _with_new_partitions(self, after: Frontier) -> Frontier:
        """Return a cursor with the partitions that were added since, from their beginning."""
        added = [partition for partition in self._hub.ends if partition >= len(after.offsets)]
        firsts = {partition: (await self._past.bounds(partition))[0] for partition in added}
        return Frontier((*after.offsets, *(offset for _, offset in sorted(firsts.items()))))

    def _message(self, delivered: Delivered) -> Message:
        position, event = delivered
        self._frontier = self._frontier.after(position)
        return message_of(event, str(self._frontier))


async def _resumable(messages: AsyncGenerator[Message, None]) -> AsyncGenerator[Message, None]:
    """Yield the messages; if they cannot go on, a last one that says why."""
    async with aclosing(messages):
        try:
            async for message in messages:
                yield message
        except SlowReader:
            yield cut_off("slow_reader")
        except CursorGone:
            yield cut_off("cursor_gone")
        except TooManySubscribers:
            yield cut_off("crowded")
        except (HistoryUnavailable, DependencyDown):
            yield cut_off("history_unavailable")


def _message(delivered: Delivered, ended: set[str]) -> Message:
    """Return the message of an event of one job; note a stage that has ended."""
    position, event = delivered
    if event.phase in FINAL_PHASES:
        ended.add(event.stage)
    return message_of(event, str(position))
