"""API keys, looked up in the bucket and remembered for a short time.

::

    age of what is remembered    0 s ──────────── 5 s ─────────────────────── 10 s ──────▶
    known key                    used             used, and read again beside   read again first

So a revocation takes effect within ten seconds, requests of a busy key wait for no read, and a known key is
accepted for ten seconds when the bucket fails.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

import structlog

from producers.api_keys.key import ApiKey
from schemas.clock import Clock
from schemas.errors import DependencyDown
from schemas.object_addresses import S3

REFRESH_SECONDS: Final = 5.0
CACHE_SECONDS: Final = 10.0
READ_SECONDS: Final = 5.0
"""Longest wait of a request for a read; the read continues, and the next request finds its result."""

KNOWN_LIMIT: Final = 10_000
UNKNOWN_LIMIT: Final = 10_000
"""Digests that are remembered; a flood of wrong keys forgets none of the known ones."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Read:
    """What the bucket had under a digest, and when."""

    key: ApiKey | None
    read_at: float


@dataclass(slots=True)
class KeyRing:
    """Keys by the digests of their secrets. Belongs to one event loop; ``read`` runs on the executor."""

    read: Callable[[str], ApiKey | None]
    executor: Executor
    _: KW_ONLY
    clock: Clock
    _known: OrderedDict[str, _Read] = field(default_factory=OrderedDict)
    _unknown: OrderedDict[str, _Read] = field(default_factory=OrderedDict)
    _reading: dict[str, asyncio.Future[ApiKey | None]] = field(default_factory=dict)

    def needs_no_read(self, digest: str) -> bool:
        """Return whether a digest is remembered: a known one, however old, or an unknown one that is fresh."""
        return digest in self._known or self._fresh(digest) is not None

    async def find(self, digest: str) -> ApiKey | None:
        """Return the key with this digest; None when there is none. Raises DependencyDown."""
        fresh = self._fresh(digest)
        if fresh is None:
            return await self._awaited(digest)
        if fresh.key is not None and self.clock.monotonic() - fresh.read_at >= REFRESH_SECONDS:
            self._begin(digest)
        return fresh.key

    def _fresh(self, digest: str) -> _Read | None:
        read = self._known.get(digest) or self._unknown.get(digest)
        return read if read and self.clock.monotonic() - read.read_at < CACHE_SECONDS else None

    async def _awaited(self, digest: str) -> ApiKey | None:
        reading = self._begin(digest)
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.shield(reading)
        except TimeoutError:
            raise DependencyDown(S3, "the API key could not be read in time") from None

    def _begin(self, digest: str) -> asyncio.Future[ApiKey | None]:
        """Start to read a digest, unless that is in progress."""
        reading = self._reading.get(digest)
        if reading is None:
            reading = asyncio.get_running_loop().run_in_executor(self.executor, self.read, digest)
            self._reading[digest] = reading
            reading.add_done_callback(lambda done: self._on_read(digest, done))
        return reading

    def _on_read(self, digest: str, reading: asyncio.Future[ApiKey | None]) -> None:
        del self._reading[digest]
        if reading.cancelled():
            return
        if (error := reading.exception()) is not None:
            _log.debug("API key not read", error=str(error))
            return
        key = reading.result()
        book, limit = (self._unknown, UNKNOWN_LIMIT) if key is None else (self._known, KNOWN_LIMIT)
        (self._known if key is None else self._unknown).pop(digest, None)
        book[digest] = _Read(key, self.clock.monotonic())
        book.move_to_end(digest)
        if len(book) > limit:
            book.popitem(last=False)
