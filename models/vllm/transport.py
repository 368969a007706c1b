"""Many connections to one server, at a cost that does not grow with their number.

httpcore's pool looks at every socket it holds, several times per request: with 40 requests in flight that is most
of what a request costs, and it grows with their square. Here each connection is a pool of one.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httpx

KEEP_ALIVE_SECONDS: Final = 5.0
"""What vLLM's HTTP server allows: after that it closes a connection that nobody uses."""


class Transport(httpx.AsyncBaseTransport):
    """Up to ``most`` connections; more requests wait for one. Belongs to one event loop.

    ``trust`` is whom to trust where the address is https, False to ask nobody.
    """

    def __init__(
        self, most: int, trust: ssl.SSLContext | bool, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._trust = httpx.create_ssl_context(trust, trust_env=False)
        self._clock = clock
        self._places = asyncio.Semaphore(most)
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._all: set[httpx.AsyncHTTPTransport] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request over the connection that was used last. Raises what httpx's transports raise."""
        await self._places.acquire()
        try:
            connection = await self._taken()
        except BaseException:
            self._places.release()
            raise
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._give_back(connection)
            raise
        body = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _Lent(body, lambda: self._give_back(connection))
        return response

    async def aclose(self) -> None:
        """Closes every connection; requests in flight end."""
        self._idle.clear()
        while self._all:
            await self._all.pop().aclose()

    async def _taken(self) -> httpx.AsyncHTTPTransport:
        await self._close_unused()
        if self._idle:
            return self._idle.pop()[1]
        connection = httpx.AsyncHTTPTransport(
            verify=self._trust,
            trust_env=False,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS),
        )
        self._all.add(connection)
        return connection

    async def _close_unused(self) -> None:
        """The one that was given back first lies first."""
        while self._idle and self._clock() - self._idle[0][0] > KEEP_ALIVE_SECONDS:
            _, unused = self._idle.popleft()
            self._all.discard(unused)
            await unused.aclose()

    def _give_back(self, connection: httpx.AsyncHTTPTransport) -> None:
        self._idle.append((self._clock(), connection))
        self._places.release()


class _Lent(httpx.AsyncByteStream):
    """A response's body, which gives its connection back once it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._stream = stream
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._give_back is not None:
                self._give_back()
                self._give_back = None
