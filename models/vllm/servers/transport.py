"""Many connections to one server, at a cost per request that does not grow with their number.

httpcore's pool iterates over all its connections several times per request: with 40 requests in flight that is
most of a request's cost, and the total grows with their square. Here each connection has its own transport.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httpx

from schemas.clock import Clock

KEEP_ALIVE_SECONDS: Final = 5.0
"""vLLM's HTTP server closes a connection that is idle for longer."""


class Transport(httpx.AsyncBaseTransport):
    """Up to ``max_connections``; further requests wait for one. Belongs to one event loop.

    ``trust`` is the TLS context for https addresses, False for none.
    """

    def __init__(self, max_connections: int, trust: ssl.SSLContext | bool, *, clock: Clock) -> None:
        self._trust = httpx.create_ssl_context(trust, trust_env=False)
        self._clock = clock
        self._slots = asyncio.Semaphore(max_connections)
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._open: set[httpx.AsyncHTTPTransport] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request over the most recently used idle connection. Raises what httpx's transports raise."""
        await self._slots.acquire()
        self._close_expired()
        connection = self._idle.pop()[1] if self._idle else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._discard(connection)
            raise
        response.stream = _ReleasingStream(
            cast("httpx.AsyncByteStream", response.stream),
            release=lambda: self._release(connection),
            discard=lambda: self._discard(connection),
        )
        return response

    async def aclose(self) -> None:
        """Close every connection; requests in flight end."""
        self._idle.clear()
        while self._open:
            await self._open.pop().aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        connection = httpx.AsyncHTTPTransport(
            verify=self._trust,
            trust_env=False,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS),
        )
        self._open.add(connection)
        return connection

    def _close_expired(self) -> None:
        """Close connections that were idle for too long; the longest idle one comes first."""
        while self._idle and self._clock.monotonic() - self._idle[0][0] > KEEP_ALIVE_SECONDS:
            self._close(self._idle.popleft()[1])

    def _release(self, connection: httpx.AsyncHTTPTransport) -> None:
        self._idle.append((self._clock.monotonic(), connection))
        self._slots.release()

    def _discard(self, connection: httpx.AsyncHTTPTransport) -> None:
        """Close a connection after a request that did not end normally.

        A second cancellation may have kept httpcore from cleaning up, which leaves a connection busy forever.
        """
        self._close(connection)
        self._slots.release()

    def _close(self, connection: httpx.AsyncHTTPTransport) -> None:
        """Start closing. Runs in its own task so that cancelling the caller cannot interrupt it."""
        closing = asyncio.ensure_future(self._aclose_one(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _aclose_one(self, connection: httpx.AsyncHTTPTransport) -> None:
        await connection.aclose()
        self._open.discard(connection)


class _ReleasingStream(httpx.AsyncByteStream):
    """Response body. Releases its connection when read to the end and closed; any other end discards it."""

    def __init__(
        self, stream: httpx.AsyncByteStream, *, release: Callable[[], None], discard: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._release, self._discard = release, discard
        self._is_read = self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece
        self._is_read = True

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        is_reusable = False
        try:
            await self._stream.aclose()
            is_reusable = self._is_read
        finally:
            (self._release if is_reusable else self._discard)()
