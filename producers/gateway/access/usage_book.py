"""Bytes per day of each API key, counted over all gateways.

Each gateway counts what it receives. Every ``EXCHANGE_SECONDS`` it writes its own sum to the bucket, if a percent
of the limit has come since the last time, and reads those of the others. So a key overshoots its limit by no more
than what the other gateways receive within two such intervals and one percent for each of them, and a gateway
that is killed forgets as much of its own. Writes are few: a bucket may keep every version and announce each.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from starlette.types import Message, Receive

from producers.api_keys.key import ApiKey
from producers.api_keys.usage import Usage, UsageStore
from producers.gateway.access.credentials import too_many
from producers.gateway.failures import RequestRefused
from schemas.clock import Clock
from schemas.errors import DependencyDown
from schemas.object_addresses import S3

EXCHANGE_SECONDS: Final = 5.0
FIRST_READ_SECONDS: Final = 5.0
"""Longest wait of a key's first request of the day for what others have counted."""

WRITES_PER_LIMIT: Final = 100
"""Writes of one gateway while it receives a key's whole limit."""

QUIET_SECONDS: Final = 300.0
"""Between writes of smaller changes, which say when a key was used."""

IDLE_SECONDS: Final = 60.0
"""After its last request a key's usage at others is read no more, until its next request waits for it."""

Result = TypeVar("Result")
_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Day:
    """One key's day: what this gateway counted, what of it is written, what others counted, what is announced."""

    requests: int = 0
    body_bytes: int = 0
    written: tuple[int, int] = (0, 0)
    written_at: float | None = None
    used_at: float = 0.0
    limit_bytes: int | None = None
    others_bytes: int | None = None
    announced_bytes: int = 0

    @property
    def taken_bytes(self) -> int:
        """Bytes that count against the limit now, those included that requests in progress have announced."""
        return self.body_bytes + (self.others_bytes or 0) + self.announced_bytes

    def is_due(self, *, now: float) -> bool:
        """Return whether what changed since the last write is large enough, or old enough, to be written."""
        if (self.requests, self.body_bytes) == self.written:
            return False
        unwritten_bytes = self.body_bytes - self.written[1]
        is_large = self.limit_bytes is not None and unwritten_bytes * WRITES_PER_LIMIT >= self.limit_bytes
        return is_large or self.written_at is None or now - self.written_at >= QUIET_SECONDS


@dataclass(slots=True)
class UsageBook:
    """Counts the bytes of each key. Belongs to one event loop; ``store`` is called on the executor."""

    store: UsageStore
    executor: Executor
    _: KW_ONLY
    clock: Clock
    gateway: str
    _days: dict[tuple[str, date], _Day] = field(default_factory=dict)

    @contextmanager
    def body(self, key: ApiKey, receive: Receive, *, announced_bytes: int) -> Iterator["MeteredBody"]:
        """Count the body of one request, while the context lasts. Raises RequestRefused (429) above the limit.

        ``announced_bytes`` are those of Content-Length; a body without it is cut off at the limit.
        """
        day = self._days.setdefault((key.id, self._today()), _Day())
        body = MeteredBody(receive, day, key.limits.bytes_per_day, self._seconds_left(), announced_bytes)
        body.refuse_above_limit(announced_bytes)
        day.limit_bytes, day.used_at = key.limits.bytes_per_day, self.clock.monotonic()
        day.requests += 1
        day.announced_bytes += announced_bytes
        try:
            yield body
        finally:
            day.announced_bytes -= body.announced_bytes

    async def ready(self, key: ApiKey) -> None:
        """Wait until what others have counted today is known, if the key has a limit. Raises DependencyDown."""
        today = self._today()
        if key.limits.bytes_per_day is None or self._is_known(key.id, today):
            return
        try:
            async with asyncio.timeout(FIRST_READ_SECONDS):
                await self._read(key.id, today)
        except TimeoutError:
            raise DependencyDown(S3, "the usage of the API key could not be read in time") from None

    async def exchange(self) -> None:
        """Write what is due, and read what others have counted for the keys that are in use."""
        today, now = self._today(), self.clock.monotonic()
        for (key_id, day), counted in list(self._days.items()):
            try:
                if day < today:
                    await self._end(key_id, day, counted)
                    continue
                if counted.is_due(now=now):
                    await self._write(key_id, day, counted)
                if now - counted.used_at >= IDLE_SECONDS and not counted.announced_bytes:
                    counted.others_bytes = None
                elif counted.others_bytes is not None:
                    await self._read(key_id, day)
            except DependencyDown as error:
                _log.debug("usage not exchanged", error=str(error))
                return

    async def write_all(self) -> None:
        """Write everything that has changed, at the end of the gateway."""
        try:
            for (key_id, day), counted in self._days.items():
                await self._write(key_id, day, counted)
        except DependencyDown as error:
            _log.warning("usage of API keys not written", error=str(error))

    async def keep_exchanging(self) -> None:
        """Exchange again and again, until cancelled."""
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            await self.exchange()

    def _is_known(self, key_id: str, day: date) -> bool:
        return (key_id, day) in self._days and self._days[key_id, day].others_bytes is not None

    async def _read(self, key_id: str, day: date) -> None:
        others = await self._call(partial(self.store.of_others, key_id, day, self.gateway))
        self._days.setdefault((key_id, day), _Day()).others_bytes = others.body_bytes

    async def _end(self, key_id: str, day: date, counted: _Day) -> None:
        """Write a day that is over, and delete what was stored before it."""
        await self._write(key_id, day, counted)
        if not counted.announced_bytes:
            await self._call(partial(self.store.forget_before, key_id, day))
            del self._days[key_id, day]

    async def _write(self, key_id: str, day: date, counted: _Day) -> None:
        now = (counted.requests, counted.body_bytes)
        if now != counted.written:
            usage = Usage(requests=counted.requests, body_bytes=counted.body_bytes)
            await self._call(partial(self.store.put, key_id, day, self.gateway, usage))
            counted.written, counted.written_at = now, self.clock.monotonic()

    async def _call(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)

    def _today(self) -> date:
        return self.clock.now().astimezone(UTC).date()

    def _seconds_left(self) -> float:
        midnight = datetime.combine(self._today() + timedelta(days=1), time(), UTC)
        return (midnight - self.clock.now()).total_seconds()


@dataclass(slots=True)
class MeteredBody:
    """A ``receive`` that counts a body's bytes against the key's limit."""

    receive: Receive
    day: _Day
    limit_bytes: int | None
    seconds_left: float
    announced_bytes: int

    async def __call__(self) -> Message:
        """Return the next message. Raises RequestRefused (429) when the body exceeds the day's limit."""
        message = await self.receive()
        size = len(message.get("body", b""))
        expected = min(size, self.announced_bytes)
        self.announced_bytes -= expected
        self.day.announced_bytes -= expected
        self.day.body_bytes += size
        self.refuse_above_limit(0)
        return message

    def refuse_above_limit(self, more_bytes: int) -> None:
        """Raise RequestRefused when the day's bytes and so many more are above the limit."""
        if self.limit_bytes is not None and self.day.taken_bytes + more_bytes > self.limit_bytes:
            raise self._exceeded(self.limit_bytes)

    def _exceeded(self, limit_bytes: int) -> RequestRefused:
        return too_many(
            "bytes_per_day_exceeded",
            f"the API key may send {limit_bytes:,} bytes per day, in UTC, and today has too few left",
            retry_seconds=self.seconds_left,
        )
