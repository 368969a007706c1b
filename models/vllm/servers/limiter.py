"""Concurrency limit of one server: additive increase, multiplicative decrease, interactive before bulk."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from schemas.clock import Clock
from schemas.options import Lane

START_REQUESTS: Final = 32
DECREASE: Final = 0.5
COOLDOWN_SECONDS: Final = 1.0
"""A burst of refusals is one event: the limit falls at most once in this time."""
BULK_SHARE: Final = 8
"""Every eighth slot goes to bulk when both lanes wait, so that bulk is slow but never starved."""


class Limiter:
    """Admits up to ``limit`` requests at once, in order of arrival within a lane. Belongs to one event loop."""

    def __init__(self, max_requests: int, *, clock: Clock) -> None:
        self._max_requests = max_requests
        self._clock = clock
        self._limit = float(min(START_REQUESTS, max_requests))
        self._in_flight = 0
        self._times_reached = self._grants = 0
        self._waiters: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}
        self._decreased_at = -COOLDOWN_SECONDS

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Requests in flight now."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot. Safe to read from any thread: copying a deque is atomic."""
        return sum(not waiter.done() for lane in self._waiters.values() for waiter in tuple(lane))

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Leaving without an error counts as success.

        Success raises the limit only if the limit was reached while the slot was held: a server that is less busy
        than allowed gives no evidence of how many requests it can handle.
        """
        before = self._times_reached
        await self._acquire(lane)
        try:
            yield
            if self._times_reached > before:
                self._limit = min(self._limit + 1 / self._limit, self._max_requests)
        finally:
            self._in_flight -= 1
            self._grant()

    def on_overload(self) -> None:
        """Halve the limit, once per cooldown: the server refused a request or stalled."""
        now = self._clock.monotonic()
        if now - self._decreased_at >= COOLDOWN_SECONDS:
            self._decreased_at = now
            self._limit = max(1.0, self._limit * DECREASE)

    async def _acquire(self, lane: Lane) -> None:
        if self._in_flight < self.limit and not any(self._waiters.values()):
            self._occupy()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[lane].append(waiter)
        self._grant()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # granted and cancelled in the same turn of the loop
                self._in_flight -= 1
                self._grant()
            raise

    def _occupy(self) -> None:
        self._in_flight += 1
        self._times_reached += self._in_flight >= self.limit

    def _grant(self) -> None:
        while self._in_flight < self.limit:
            waiter = self._next()
            if waiter is None:
                return
            self._occupy()
            self._grants += 1
            waiter.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        interactive, bulk = self._waiters[Lane.INTERACTIVE], self._waiters[Lane.BULK]
        for lane in (interactive, bulk):
            while lane and lane[0].done():
                lane.popleft()  # cancelled while waiting
        if bulk and (not interactive or self._grants % BULK_SHARE == BULK_SHARE - 1):
            return bulk.popleft()
        return interactive.popleft() if interactive else None
