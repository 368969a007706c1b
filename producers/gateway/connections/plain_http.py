"""Clients that speak plain HTTP to a listener of TLS: they get an answer that they can read."""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Final

HANDSHAKE: Final = b"\x16"
"""The first byte of a TLS client: the type of its record (RFC 8446, section 5.1)."""

READ_BYTES: Final = 64 * 1024
_BODY: Final = json.dumps(
    {
        "success": False,
        "error": {"reason": "tls_required", "message": "the gateway speaks TLS here: use https:// in the address"},
    }
).encode()
_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    + f"Content-Length: {len(_BODY)}\r\n\r\n".encode()
    + _BODY
)


async def speaks_tls(accepted: socket.socket, *, limit_seconds: float) -> bool:
    """Return whether a client begins a TLS handshake; what it sent stays unread.

    Raises TimeoutError for a client that sends nothing, OSError for one that is gone.
    """
    accepted.setblocking(False)
    async with asyncio.timeout(limit_seconds):
        while True:
            try:
                return accepted.recv(1, socket.MSG_PEEK) in (HANDSHAKE, b"")
            except (BlockingIOError, InterruptedError):
                await _readable(accepted)


def answer_plain_http(accepted: socket.socket) -> None:
    """Answer with how to reach the gateway, and close. Never blocks; a client that does not read gets nothing."""
    with suppress(OSError), accepted:
        # Closing with unread bytes would reset the connection, and take the answer with it.
        accepted.recv(READ_BYTES)
        accepted.send(_ANSWER)
        accepted.shutdown(socket.SHUT_WR)


async def _readable(accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(accepted, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(accepted)
