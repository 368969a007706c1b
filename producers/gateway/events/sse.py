"""Server-sent events: their format, and the HTTP response that sends them.

Source: WHATWG HTML, section 9.2, "Server-sent events".
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE: Final = "text/event-stream"
RETRY_MILLISECONDS: Final = 3_000
"""After which a client connects again."""

HEARTBEAT_SECONDS: Final = 15.0
"""Proxies close connections that are silent for longer, often after 60 s."""

SEND_SECONDS: Final = 30.0
"""Longest wait for a client that does not read what it was sent."""

STREAM_SECONDS: Final = 3_600.0
"""Longest stream. Its client connects again, and is admitted again: its key may have been revoked."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream. None of the texts has a line break. A message without data only sets the id."""

    data: str = ""
    event: str = ""
    id: str = ""
    comment: str = ""
    retry_milliseconds: int | None = None

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        retry = "" if self.retry_milliseconds is None else str(self.retry_milliseconds)
        fields = (
            ("", self.comment),
            ("retry", retry),
            ("id", self.id),
            ("event", self.event),
            ("data", self.data),
        )
        return ("".join(f"{name}: {value}\n" for name, value in fields if value) + "\n").encode()


class EventStream(Response):
    """Sends messages until they end, the client leaves or does not read, the server stops, or it is too long.

    ``heartbeat`` is called after each ``heartbeat_seconds`` without a message. The generator is closed in the end,
    whatever ends the stream.
    """

    media_type = MEDIA_TYPE
    heartbeat_seconds = HEARTBEAT_SECONDS
    send_seconds = SEND_SECONDS
    stream_seconds = STREAM_SECONDS

    def __init__(
        self,
        messages: AsyncGenerator[Message, None],
        *,
        heartbeat: Callable[[], Message],
        stopped: asyncio.Event,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._messages = messages
        self._heartbeat = heartbeat
        self._stopped = stopped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        del scope
        ends = (_disconnected(receive), self._stopped.wait(), asyncio.sleep(self.stream_seconds))
        ending = {asyncio.create_task(end) for end in ends}
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": self.raw_headers}, send)
            await self._send_messages(ending, send)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False}, send)
        except TimeoutError:
            return  # the client does not read: the server closes the connection
        finally:
            for task in ending:
                task.cancel()
            await self._messages.aclose()

    async def _send_messages(self, ending: set["asyncio.Task[Any]"], send: Send) -> None:
        following = asyncio.create_task(self._following())
        try:
            while True:
                done, _ = await asyncio.wait(
                    {following, *ending}, timeout=self.heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                message = following.result() if following in done else None
                if message is not None:
                    following = asyncio.create_task(self._following())
                elif done:
                    return
                else:
                    message = self._heartbeat()
                await self._send({"type": "http.response.body", "body": message.encode(), "more_body": True}, send)
        finally:
            if following.cancel():
                await asyncio.wait({following})

    async def _following(self) -> Message | None:
        return await anext(self._messages, None)

    async def _send(self, message: dict[str, Any], send: Send) -> None:
        async with asyncio.timeout(self.send_seconds):
            await send(message)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
