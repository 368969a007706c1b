"""The format of server-sent events, and the response that sends them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.types import Message as AsgiMessage

from producers.gateway.events.sse import EventStream, Message


class Connection:
    """A client of one response. ``is_stuck``: it reads nothing more; ``leave`` disconnects it."""

    def __init__(self) -> None:
        self.sent: list[AsgiMessage] = []
        self.is_stuck = False
        self.left = asyncio.Event()
        self.got = asyncio.Event()

    async def receive(self) -> AsgiMessage:
        """As ASGI says."""
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: AsgiMessage) -> None:
        """As ASGI says."""
        if self.is_stuck:
            await asyncio.Event().wait()
        self.sent.append(message)
        self.got.set()

    @property
    def body(self) -> bytes:
        """What was sent."""
        return b"".join(message.get("body", b"") for message in self.sent)

    async def until(self, text: bytes) -> None:
        """Wait until the client has received a text."""
        async with asyncio.timeout(10):
            while text not in self.body:
                self.got.clear()
                await self.got.wait()


class Source:
    """Messages that a test gives; ``closed`` tells that they were closed."""

    def __init__(self, *messages: Message, ends: bool = False) -> None:
        self._messages = messages
        self._ends = ends
        self.closed = asyncio.Event()

    async def __call__(self) -> AsyncGenerator[Message, None]:
        """Yield the messages, then wait unless they end."""
        try:
            for message in self._messages:
                yield message
            if not self._ends:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


def response(source: Source, stopped: asyncio.Event | None = None, **seconds: Any) -> EventStream:
    """Return a response; ``seconds`` are its limits."""
    made = EventStream(
        source(), heartbeat=lambda: Message(comment="heartbeat", id="7"), stopped=stopped or asyncio.Event()
    )
    for name, limit in seconds.items():
        setattr(made, name, limit)
    return made


def test_a_message_is_written_as_the_specification_says() -> None:
    """Fields on lines of their own, an empty line after each message, UTF-8."""
    assert Message("{}", "completed", "1-2").encode() == b"id: 1-2\nevent: completed\ndata: {}\n\n"
    assert Message(comment="heartbeat", id="3").encode() == b": heartbeat\nid: 3\n\n"
    assert Message(retry_milliseconds=3_000).encode() == b"retry: 3000\n\n"
    assert Message("하나").encode() == "data: 하나\n\n".encode()


def test_messages_that_end_end_the_response() -> None:
    """Complete, so that the client does not take it for a broken connection."""

    async def story() -> None:
        connection, source = Connection(), Source(Message("1"), Message("2"), ends=True)
        await response(source)({}, connection.receive, connection.send)
        assert connection.body == b"data: 1\n\ndata: 2\n\n"
        assert connection.sent[-1]["more_body"] is False
        headers = dict(connection.sent[0]["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-store"
        assert b"content-length" not in headers

    asyncio.run(story())


def test_silence_is_filled_with_heartbeats() -> None:
    """So that proxies keep the connection, and clients notice a dead one."""

    async def story() -> None:
        connection, source = Connection(), Source(Message("1"))
        sending = asyncio.create_task(
            response(source, heartbeat_seconds=0.01)({}, connection.receive, connection.send)
        )
        await connection.until(b"data: 1\n\n: heartbeat\nid: 7\n\n: heartbeat\nid: 7\n\n")
        connection.left.set()
        await sending

    asyncio.run(story())


def test_a_client_that_leaves_frees_everything_at_once() -> None:
    """Its messages are closed, and with them its subscription."""

    async def story() -> None:
        connection, source = Connection(), Source(Message("1"))
        sending = asyncio.create_task(response(source)({}, connection.receive, connection.send))
        await connection.until(b"data: 1")
        connection.left.set()
        async with asyncio.timeout(10):
            await sending
        assert source.closed.is_set()

    asyncio.run(story())


def test_a_client_that_reads_nothing_is_given_up() -> None:
    """After ``send_seconds``; the server closes a connection with an incomplete response."""

    async def story() -> None:
        connection, source = Connection(), Source(Message("1"), Message("2"))
        connection.is_stuck = True
        async with asyncio.timeout(10):
            await response(source, send_seconds=0.01)({}, connection.receive, connection.send)
        assert connection.sent == []

    asyncio.run(story())


def test_a_server_that_stops_ends_streams_completely() -> None:
    """An EventSource then connects again, to another replica."""

    async def story() -> None:
        connection, source, stopped = Connection(), Source(Message("1")), asyncio.Event()
        sending = asyncio.create_task(response(source, stopped)({}, connection.receive, connection.send))
        await connection.until(b"data: 1")
        stopped.set()
        async with asyncio.timeout(10):
            await sending
        assert connection.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
        assert source.closed.is_set()

    asyncio.run(story())


def test_a_stream_ends_before_its_client_is_forgotten() -> None:
    """After ``stream_seconds`` the client has to connect again, with a key that is still valid."""

    async def story() -> None:
        connection, source = Connection(), Source(Message("1"))
        async with asyncio.timeout(10):
            await response(source, stream_seconds=0.05)({}, connection.receive, connection.send)
        assert connection.body == b"data: 1\n\n"
        assert connection.sent[-1]["more_body"] is False

    asyncio.run(story())
