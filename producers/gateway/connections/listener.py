"""The listening sockets: accepts connections while there are places and open files, and closes those overdue.

asyncio's own server tries again at once, as often as its backlog is long, when the process has no open file left,
and logs a traceback each time (github.com/python/cpython/issues/151615).
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from ssl import SSLContext
from typing import Final

from producers.gateway.connections.places import UNKNOWN_ADDRESS, Places
from producers.gateway.connections.plain_http import answer_plain_http, speaks_tls
from producers.gateway.connections.protocol import GatewayProtocol
from producers.gateway.connections.refusals import Refusal, Refusals
from schemas.clock import Clock

BACKLOG: Final = 2_048
"""Connections that the kernel holds until they are accepted; its own limit (net.core.somaxconn) may be lower."""

ACCEPTS_PER_TURN: Final = 64
"""Most between two turns of the event loop, so that requests in progress continue during a flood."""

RETRY_SECONDS: Final = 0.1
"""After the process had no open file left for a connection."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(slots=True)
class Listener:
    """Accepts connections on the event loop that runs ``open``. ``connection_of`` builds the protocol for one."""

    places: Places[GatewayProtocol]
    refusals: Refusals
    connection_of: Callable[[str], GatewayProtocol]
    _: KW_ONLY
    clock: Clock
    tls: SSLContext | None = None
    sockets: list[socket.socket] = field(default_factory=list)

    async def open(self, host: str, port: int) -> None:
        """Listen on every address of the host, and accept from now on. Raises OSError for an unusable address."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
                listening.setblocking(False)
                self.sockets.append(listening)
        except OSError:
            self.close()
            raise
        for listening in self.sockets:
            self._resume(listening)

    def close(self) -> None:
        """Accept no more connections; those that are open stay. Safe to repeat."""
        for listening in self.sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self.sockets.clear()

    def sweep(self, connections: Iterable[object]) -> None:
        """Close the connections that waited too long for their client, log refusals. Call it every second."""
        now = self.clock.monotonic()
        for waiting in self.places.overdue(now=now):
            if waiting.has_served:
                # A client that keeps its connection in reserve, or still sends a body that was refused.
                waiting.end()
            else:
                waiting.refuse(Refusal.SLOW_HEADERS)
        for connection in tuple(connections):
            if isinstance(connection, GatewayProtocol):
                connection.end_if_stuck(now=now)
        self.refusals.flush()

    def _resume(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if pause_seconds := self.places.pause_seconds(now=self.clock.monotonic()):
                self._pause(listening, pause_seconds)
                return
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._on_exhausted(listening)
                return
            self._admit(accepted, str(peer[0]) if isinstance(peer, tuple) else UNKNOWN_ADDRESS)

    def _on_exhausted(self, listening: socket.socket) -> None:
        """Close the connection that has waited longest for headers, and accept again in a moment."""
        self.refusals.count(Refusal.DESCRIPTORS)
        if (waiting := self.places.longest_waiting()) is not None:
            waiting.end()
        self._pause(listening, RETRY_SECONDS)

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        """Leave new connections to the kernel, which keeps them and what they send until they are accepted."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        loop.call_later(seconds, self._resume, listening)

    def _admit(self, accepted: socket.socket, address: str) -> None:
        connection = self.connection_of(address)
        admission = self.places.admit(connection, now=self.clock.monotonic())
        if admission.refusal is not None:
            self.refusals.count(admission.refusal)
        if admission.evicted is not None:
            admission.evicted.end()
        if not admission.is_admitted:
            accepted.close()
            return
        connecting = asyncio.get_running_loop().create_task(self._connect(accepted, connection))
        # One that is cancelled before it began has not given the socket to a transport, which would close it.
        connecting.add_done_callback(lambda ended: accepted.close() if ended.cancelled() else None)
        connection.connecting = connecting

    async def _connect(self, accepted: socket.socket, connection: GatewayProtocol) -> None:
        """Give an accepted socket to its protocol, after the TLS handshake if there is one."""
        if self.tls is not None and not await self._begins_tls(accepted):
            connection.end()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self.tls,
                ssl_handshake_timeout=self.places.limits.header_seconds if self.tls else None,
            )
        except (OSError, asyncio.CancelledError):
            # A client that broke off its handshake, or took too long for it; or its place went to another.
            connection.end()

    async def _begins_tls(self, accepted: socket.socket) -> bool:
        """Return whether a client begins a handshake; else it is answered, and its socket closed."""
        try:
            if await speaks_tls(accepted, limit_seconds=self.places.limits.header_seconds):
                return True
        except (OSError, asyncio.CancelledError):
            accepted.close()
            return False
        self.refusals.count(Refusal.INVALID_HTTP)
        answer_plain_http(accepted)
        return False
