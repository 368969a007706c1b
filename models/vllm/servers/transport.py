"""Many connections to one server, at a cost that does not grow with their number.

httpcore's pool looks at every socket it holds, several times per request: with 40 requests in flight that is most
of what a request costs, and it grows with their square. Here each connection is a pool of one.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httpx

from schemas.clock import Clock

KEEP_ALIVE_SECONDS: Final = 5.0
"""What vLLM's HTTP server allows: after that it closes a connection that nobody uses."""


class Transport(httpx.AsyncBaseTransport):
    """Up to ``most`` connections; more requests wait for one. Belongs to one event loop.

    ``trust`` is whom to trust where the address is https, False to ask nobody.
    """

    def __init__(self, most: int, trust: ssl.SSLContext | bool, *, clock: Clock) -> None:
        self._trust = httpx.create_ssl_context(trust, trust_env=False)
        self._clock = clock
        self._places = asyncio.Semaphore(most)
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._open: set[httpx.AsyncHTTPTransport] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request over the connection that was used last. Raises what httpx's transports raise."""
        await self._places.acquire()
        self._close_unused()
        connection = self._idle.pop()[1] if self._idle else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._give_up(connection)
            raise
        response.stream = _Lent(
            cast("httpx.AsyncByteStream", response.stream),
            give_back=lambda: self._give_back(connection),
            give_up=lambda: self._give_up(connection),
        )
        return response

    async def aclose(self) -> None:
        """Closes every connection; requests in flight end."""
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

    def _close_unused(self) -> None:
        """The one that was given back first lies first."""
        while self._idle and self._clock.monotonic() - self._idle[0][0] > KEEP_ALIVE_SECONDS:
            self._close(self._idle.popleft()[1])

    def _give_back(self, connection: httpx.AsyncHTTPTransport) -> None:
        self._idle.append((self._clock.monotonic(), connection))
        self._places.release()

    def _give_up(self, connection: httpx.AsyncHTTPTransport) -> None:
        """For what ended otherwise than well: a second cancellation may have kept httpcore from cleaning up, which
        leaves a connection that is busy for ever."""
        self._close(connection)
        self._places.release()

    def _close(self, connection: httpx.AsyncHTTPTransport) -> None:
        """In a task of its own, since whoever calls may be cancelled."""
        closing = asyncio.ensure_future(self._closed(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _closed(self, connection: httpx.AsyncHTTPTransport) -> None:
        await connection.aclose()
        self._open.discard(connection)


class _Lent(httpx.AsyncByteStream):
    """A response's body. Its connection is given back once it was read to its end and closed, else given up."""

    def __init__(
        self, stream: httpx.AsyncByteStream, *, give_back: Callable[[], None], give_up: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._give_back, self._give_up = give_back, give_up
        self._is_read = self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece
        self._is_read = True

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        is_sound = False
        try:
            await self._stream.aclose()
            is_sound = self._is_read
        finally:
            (self._give_back if is_sound else self._give_up)()
