"""The minimal HTTP that a double over real sockets needs."""

import asyncio
import json
from typing import Any


async def read(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], dict[str, Any]]:
    """Read the next request: method, path, headers, body. Raises IncompleteReadError when there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, json.loads(raw) if raw else {}


async def send_json(writer: asyncio.StreamWriter, status: int, payload: object) -> bool:
    """Send a JSON response; return True: the connection stays open."""
    return await send(writer, status, json.dumps(payload).encode())


async def send(writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
    """Send a response; return True: the connection stays open."""
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    return True


def chunk(payload: object) -> bytes:
    """Format a server-sent event."""
    return f"data: {json.dumps(payload)}\n\n".encode()


def error(message: str, param: str | None) -> dict[str, object]:
    """Build the body of vLLM's response to a request that it rejects."""
    return {"error": {"message": message, "type": "BadRequestError", "param": param, "code": 400}}
