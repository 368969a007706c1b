"""Clients that abuse a gateway, and a prober that measures its health meanwhile. All on loopback, all bounded."""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.waiting import pace

PROBE_INTERVAL_SECONDS: Final = 0.2
PROBE_TIMEOUT_SECONDS: Final = 10.0
BEGIN_SECONDS: Final = 5.0
CLIP_HEAD: Final = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
)


@dataclass
class Attack:
    """What happened to the attackers' connections."""

    opened: int = 0
    refused: int = 0
    closed: int = 0
    answers: list[int] = field(default_factory=list)


@dataclass
class Probes:
    """How long ``/health`` took, one number a probe; ``failures`` names probes without an answer."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The longest probe; a probe without an answer counts as its timeout."""
        return max([*self.seconds, *(PROBE_TIMEOUT_SECONDS for _ in self.failures)], default=0.0)


async def slow_headers(port: int, attack: Attack, *, interval_seconds: float, pause_seconds: float = 0.05) -> None:
    """Send one header line per interval, for ever; connect again when the gateway closes the connection."""
    while True:
        with suppress(OSError):
            async with _connection(port, attack) as (reader, writer):
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
                number = 0
                while not reader.at_eof():
                    number += 1
                    writer.write(f"X-Slow-{number}: 1\r\n".encode())
                    await writer.drain()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(interval_seconds):
                            if not await reader.read(65_536):
                                break
                attack.closed += 1
        await pace(pause_seconds)


async def slow_body(
    port: int, attack: Attack, *, first_bytes: int, interval_seconds: float, declared_bytes: int | None = None
) -> None:
    """Send some of an upload at once, then one byte per interval; note the answer."""
    length = len(CLIP_HEAD) + (declared_bytes or 100 * first_bytes)
    with suppress(OSError):
        async with _connection(port, attack) as (reader, writer):
            head = f"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
            writer.write(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + CLIP_HEAD)
            for _ in range(first_bytes // 65_536):
                writer.write(bytes(65_536))
                await writer.drain()
            line = b""
            while not line and not reader.at_eof():
                writer.write(b"0")
                await writer.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval_seconds):
                        line = await reader.readline()
            attack.answers.append(int(line.split()[1]) if line else 0)


async def connect_and_hold(port: int, attack: Attack, *, pause_seconds: float = 0.0) -> None:
    """Connect, send nothing, and connect again when the gateway closes the connection."""
    while True:
        with suppress(OSError):
            async with _connection(port, attack) as (reader, _):
                await reader.read(1)
                attack.closed += 1
        await pace(pause_seconds)


async def request_flood(port: int, attack: Attack, *, path: str = "/health") -> None:
    """Send requests one after the other on one connection."""
    while True:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            async with _connection(port, attack) as (reader, writer):
                while True:
                    attack.answers.append(await _get(reader, writer, path))


async def garbage(port: int, attack: Attack) -> None:
    """Send what is no HTTP, and upgrades that nothing supports, again and again."""
    while True:
        for request in (b"\x16\x03\x01 garbage\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + bytes([65]) * 80_000):
            with suppress(OSError):
                async with _connection(port, attack) as (reader, writer):
                    writer.write(request)
                    await writer.drain()
                    await reader.read(1000)
        with suppress(OSError):
            async with _connection(port, attack) as (reader, writer):
                upgrade = b"Host: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n"
                writer.write(b"GET /health HTTP/1.1\r\n" + upgrade)
                await reader.read(1000)


async def under_attack(
    port: int,
    attackers: Sequence[Callable[[Attack], Coroutine[Any, Any, None]]],
    *,
    seconds: float,
    path: str = "/health",
    look: Callable[[], object] = lambda: None,
) -> tuple[Attack, Probes]:
    """Run attackers for some seconds and probe the gateway's health meanwhile, each time on a new connection.

    ``look`` is called after each probe.
    """
    attack, probes = Attack(), Probes()
    running = [asyncio.create_task(attacker(attack)) for attacker in attackers]
    begun_at = time.monotonic()
    try:
        # The attackers begin all at once: the prober, in the same loop, would measure that instead of the gateway.
        while attack.opened < len(attackers) and time.monotonic() < begun_at + BEGIN_SECONDS:
            await pace(0.05)
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await asyncio.to_thread(_probe, port, probes, path)
            look()
            await pace(PROBE_INTERVAL_SECONDS)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return attack, probes


def _probe(port: int, probes: Probes, path: str) -> None:
    """Ask once, on a thread: the loop of the attackers is busy, and its delays are not the gateway's."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        probes.failures.append(repr(error))
        return
    finally:
        connection.close()
    probes.seconds.append(time.perf_counter() - began)
    if answer.status != http.HTTPStatus.OK:
        probes.failures.append(f"status {answer.status}")


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    (length,) = (int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


@asynccontextmanager
async def _connection(
    port: int, attack: Attack
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        attack.refused += 1
        raise
    attack.opened += 1
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
