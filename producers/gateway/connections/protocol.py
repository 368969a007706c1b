"""HTTP/1.1 on one connection: uvicorn's protocol, which also says when it waits for a client, and until when."""

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from producers.gateway.connections.limits import CLOSING_SECONDS, SEND_STALL_SECONDS
from producers.gateway.connections.places import UNKNOWN_ADDRESS, Places
from producers.gateway.connections.refusals import Refusal, Refusals
from schemas.clock import Clock

PLACE_KEY: Final = "kascribe.connection"
"""Where a request's scope has its connection, in ``state``."""

_MESSAGES: Final = {
    "Invalid HTTP request received.": None,  # counted where it is answered, which knows whether it was too long
    "Unsupported upgrade request.": Refusal.UNSUPPORTED_UPGRADE,
}
"""What uvicorn logs for each such request, and what is counted instead."""

_FAILURES: Final = {
    Refusal.INVALID_HTTP: (HTTPStatus.BAD_REQUEST, "invalid_http", "this is no HTTP/1.1 request"),
    Refusal.HEADERS_TOO_LARGE: (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "the request's line and headers are too long (KASCRIBE_GATEWAY_HEADER_LIMIT_BYTES)",
    ),
    Refusal.SLOW_HEADERS: (
        HTTPStatus.REQUEST_TIMEOUT,
        "headers_too_slow",
        "the request's headers did not arrive in time (KASCRIBE_GATEWAY_HEADER_TIMEOUT_SECONDS)",
    ),
}


class ProtocolLog(logging.Logger):
    """uvicorn's log of its connections, without the lines that any client can cause at will: they are counted."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__("uvicorn.error", logging.WARNING)
        self.parent = logging.getLogger("uvicorn.error")
        self._refusals = refusals

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a warning, or count it."""
        text = str(msg)
        if text.startswith("No supported WebSocket library"):
            return
        if text not in _MESSAGES:
            super().warning(msg, *args, **kwargs)
        elif (kind := _MESSAGES[text]) is not None:
            self._refusals.count(kind)


class GatewayProtocol(H11Protocol):
    """A connection with a place. ``connecting`` ends when it is ready, after the TLS handshake if there is one."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        address: str = UNKNOWN_ADDRESS,
        places: "Places[GatewayProtocol]",
        refusals: Refusals,
        log: ProtocolLog,
        clock: Clock,
    ) -> None:
        super().__init__(config, server_state, {**app_state, PLACE_KEY: self})
        self.address = address
        self.is_kept = False
        self.connecting: asyncio.Task[None] | None = None
        self.blocked_since: float | None = None
        self._closing_since: float | None = None
        self.logger = log
        self._places = places
        self._refusals = refusals
        self._clock = clock

    @property
    def is_waiting(self) -> bool:
        """Whether no request is in progress."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    @property
    def has_served(self) -> bool:
        """Whether a request has come on it."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request begins once its headers are complete."""
        super().data_received(data)
        if not self.is_waiting:
            self._places.serve(self)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless the client has sent it already."""
        if not self.transport.is_closing():
            self._places.wait(self, now=self._clock.monotonic())
        super().on_response_complete()
        if not self.is_waiting:
            self._places.serve(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place."""
        self._places.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note since when the client reads too slowly."""
        self.blocked_since = self._clock.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self.blocked_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or is too long, and close. The route of a broken body sees a disconnect.

        uvicorn writes a second response where one has begun, and so logs two tracebacks for each such request.
        """
        del msg
        too_long = len(self.conn.trailing_data[0]) > (self.config.h11_max_incomplete_event_size or 0)
        kind = Refusal.HEADERS_TOO_LARGE if too_long and self.is_waiting else Refusal.INVALID_HTTP
        has_begun = not self.is_waiting and self.cycle.response_started
        if not self.is_waiting:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.refuse(kind, is_answered=not has_begun)

    def refuse(self, kind: Refusal, *, is_answered: bool = True) -> None:
        """Count a refusal of what the client sent, answer it, and close the connection."""
        self._refusals.count(kind)
        transport: asyncio.Transport | None = self.transport
        if transport is None or transport.is_closing():
            self.end()
            return
        if is_answered:
            transport.write(_response(*_FAILURES[kind]))
        transport.close()

    def end_if_stuck(self, *, now: float) -> None:
        """Close the connection at once if its client does not read, or holds up its end."""
        if self.blocked_since is not None and now - self.blocked_since >= SEND_STALL_SECONDS:
            self._refusals.count(Refusal.SLOW_READER)
            self.end()
        elif self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since >= CLOSING_SECONDS:
                self.end()

    def end(self) -> None:
        """Close the connection at once, in whatever state it is. Safe to repeat."""
        self._places.remove(self)
        if self.connecting is not None and not self.connecting.done():
            self.connecting.cancel()
        transport: asyncio.Transport | None = self.transport
        if transport is not None:
            transport.abort()


def _response(status: HTTPStatus, reason: str, message: str) -> bytes:
    body = json.dumps({"success": False, "error": {"reason": reason, "message": message}}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
