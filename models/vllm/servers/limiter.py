"""How many requests one server bears: additive increase, multiplicative decrease, people before bulk."""

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
"""A flood of refusals is one event: the limit falls once in this time."""
BULK_SHARE: Final = 8
"""Every eighth grant goes to bulk when both wait, so that bulk is slow, never starved."""


class Limiter:
    """Admits up to ``limit`` requests at once, in order of arrival within a lane. Belongs to one event loop."""

    def __init__(self, most: int, *, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._limit = float(min(START_REQUESTS, most))
        self._in_flight = 0
        self._times_reached = self._grants = 0
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}
        self._decreased_at = -COOLDOWN_SECONDS

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Requests that are."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Requests that wait for a place. Another thread may ask: a line is copied in one step."""
        return sum(not turn.done() for lane in self._waiting.values() for turn in tuple(lane))

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Waits for a place and holds it. Leaving without an error counts as success.

        Success raises the limit if that was reached meanwhile: with fewer requests than it allows, nothing is
        learned of how many the server bears.
        """
        before = self._times_reached
        await self._enter(lane)
        try:
            yield
            if self._times_reached > before:
                self._limit = min(self._limit + 1 / self._limit, self._most)
        finally:
            self._in_flight -= 1
            self._grant()

    def overloaded(self) -> None:
        """The server refused or stalled: halves the limit, once per cooldown."""
        now = self._clock.monotonic()
        if now - self._decreased_at >= COOLDOWN_SECONDS:
            self._decreased_at = now
            self._limit = max(1.0, self._limit * DECREASE)

    async def _enter(self, lane: Lane) -> None:
        if self._in_flight < self.limit and not any(self._waiting.values()):
            self._occupy()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted and cancelled in the same moment
                self._in_flight -= 1
                self._grant()
            raise

    def _occupy(self) -> None:
        self._in_flight += 1
        self._times_reached += self._in_flight >= self.limit

    def _grant(self) -> None:
        while self._in_flight < self.limit:
            turn = self._next()
            if turn is None:
                return
            self._occupy()
            self._grants += 1
            turn.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        people, bulk = self._waiting[Lane.INTERACTIVE], self._waiting[Lane.BULK]
        for lane in (people, bulk):
            while lane and lane[0].done():
                lane.popleft()  # cancelled while waiting
        if bulk and (not people or self._grants % BULK_SHARE == BULK_SHARE - 1):
            return bulk.popleft()
        return people.popleft() if people else None
