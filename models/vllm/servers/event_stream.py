"""Response bodies as they arrive: limited in size, and server-sent events as JSON. No HTTP library."""

from collections.abc import AsyncIterator
from typing import Final

from models.vllm.servers.error_responses import problem_in_stream
from models.vllm.servers.problems import ServerFailed
from models.vllm.servers.responses import read_json

BODY_LIMIT_BYTES: Final = 16 * 1024**2
_STREAM_END: Final = b"[DONE]"


async def limit_size(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces on. Raises ServerFailed when they exceed ``BODY_LIMIT_BYTES``."""
    size_bytes = 0
    async for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > BODY_LIMIT_BYTES:
            raise ServerFailed(f"an answer of more than {BODY_LIMIT_BYTES} bytes")
        yield piece


async def events(pieces: AsyncIterator[bytes]) -> AsyncIterator[object]:
    """Yield the payload of each event, and None where the server marks the end of the stream.

    Raises the ServerProblem that an event carries.
    """
    async for line in _lines(limit_size(pieces)):
        payload = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:"):
            continue  # keep-alive comments and blank lines
        if payload == _STREAM_END:
            yield None
            continue
        event = read_json(payload)
        if problem := problem_in_stream(event):
            raise problem
        yield event


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines. httpx has such a method, but it buffers an endless line without a limit."""
    line = bytearray()
    async for piece in pieces:
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield bytes(line + end).rstrip()
            line.clear()
        line += rest
    yield bytes(line)
