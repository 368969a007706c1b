"""Connections to a server over real sockets: shared, bounded, released, and closed when idle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from models.vllm.servers.transport import KEEP_ALIVE_SECONDS, Transport
from schemas.clock import Clock
from tests.contract import http_double
from tests.support.clock import HandClock
from tests.support.waiting import eventually

MOST_TURNS = 12
"""Turns of the event loop between two cancellations; cleaning up takes fewer."""


class Server:
    """A server that holds its responses until it may answer, and counts connections."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.opened = self.open = self.in_flight = self.most_in_flight = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client closes it."""
        self.opened += 1
        self.open += 1
        try:
            while True:
                _, path, _, _ = await http_double.read(reader)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                await self.may_answer.wait()
                self.in_flight -= 1
                if path == "/breaks":
                    break
                if path == "/stalls":
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                    continue
                await http_double.send_json(writer, 200, {"path": path})
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def connected(most: int, clock: Clock) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """Run a server and a client with up to ``most`` connections to it."""
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, transport=Transport(most, False, clock=clock)) as client:
            yield server, client
    # Python 3.12 waits for the handlers when it closes a server, 3.11 does not.
    await until(lambda: server.open == 0)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition on the server's side, which lags behind."""
    await asyncio.to_thread(eventually, holds, timeout_seconds=30, what="the server's side")


def run(most: int, story: Callable[[Server, httpx.AsyncClient, HandClock], Awaitable[None]]) -> None:
    """Run the story with a clock that it may set."""
    clock = HandClock()

    async def told() -> None:
        async with connected(most, clock) as (server, client):
            await story(server, client, clock)

    asyncio.run(told())


def test_more_requests_than_connections_wait_for_one() -> None:
    """The limit holds for requests and for connections, and all requests are answered."""

    async def story(server: Server, client: httpx.AsyncClient, _: HandClock) -> None:
        asked = [asyncio.ensure_future(client.get(f"/{number}")) for number in range(9)]
        await until(lambda: server.in_flight == 3)
        server.may_answer.set()
        answers = await asyncio.gather(*asked)
        assert [answer.json()["path"] for answer in answers] == [f"/{number}" for number in range(9)]
        assert (server.most_in_flight, server.opened) == (3, 3)

    run(3, story)


def test_sequential_requests_share_one_connection() -> None:
    """The most recently used connection is reused: its socket is most likely alive."""

    async def story(server: Server, client: httpx.AsyncClient, _: HandClock) -> None:
        server.may_answer.set()
        for _number in range(5):
            assert (await client.get("/")).status_code == 200
        assert server.opened == 1

    run(8, story)


@pytest.mark.parametrize("how", ["cancelled", "broken"])
def test_a_failed_request_releases_its_slot(how: str) -> None:
    """Its socket is closed, which ends it in the server, and the next request gets the slot."""

    async def story(server: Server, client: httpx.AsyncClient, _: HandClock) -> None:
        ending = asyncio.ensure_future(client.get("/breaks"))
        await until(lambda: server.in_flight == 1)
        if how == "cancelled":
            ending.cancel()
        server.may_answer.set()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else httpx.RemoteProtocolError):
            await ending
        await until(lambda: server.open == 0)
        assert (await client.get("/")).status_code == 200
        assert server.opened == 2

    run(1, story)


@pytest.mark.parametrize("path", ["/stalls", "/waits"])
def test_a_request_that_is_cancelled_twice_holds_no_connection(path: str) -> None:
    """The slot is released, wherever the second cancellation interrupts the cleaning up of the first."""

    async def story(server: Server, client: httpx.AsyncClient, _: HandClock) -> None:
        for turns in range(MOST_TURNS):
            server.may_answer.clear()
            has_head = asyncio.Event()
            ending = asyncio.ensure_future(send(client, path, has_head))
            await until(lambda: server.in_flight == 1)
            if path == "/stalls":
                server.may_answer.set()
                await has_head.wait()
            ending.cancel()
            for _turn in range(turns):
                await turn()
            ending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ending
            server.may_answer.set()
            async with asyncio.timeout(30):
                assert (await client.get("/")).status_code == 200

    run(1, story)


async def turn() -> None:
    """Yield for one turn of the event loop."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_soon(over.set_result, None)
    await over


async def send(client: httpx.AsyncClient, path: str, has_head: asyncio.Event) -> None:
    """Send one request, and set ``has_head`` when its response begins."""
    async with client.stream("GET", path) as response:
        has_head.set()
        await response.aread()


def test_a_body_that_is_not_read_to_its_end_releases_its_slot() -> None:
    """A response over the size limit is such a body."""

    async def story(server: Server, client: httpx.AsyncClient, _: HandClock) -> None:
        server.may_answer.set()
        async with client.stream("GET", "/"):
            pass
        assert (await client.get("/")).status_code == 200

    run(1, story)


def test_idle_connections_are_closed() -> None:
    """After a burst, the next request closes them; the one in use stays."""

    async def story(server: Server, client: httpx.AsyncClient, clock: HandClock) -> None:
        rush = [asyncio.ensure_future(client.get("/")) for _ in range(4)]
        await until(lambda: server.in_flight == 4)
        server.may_answer.set()
        await asyncio.gather(*rush)
        clock.seconds += KEEP_ALIVE_SECONDS / 2
        await client.get("/")
        assert server.open == 4
        clock.seconds += KEEP_ALIVE_SECONDS * 0.75
        await client.get("/")
        await until(lambda: server.open == 1)
        assert server.opened == 4

    run(8, story)
