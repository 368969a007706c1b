"""A TLS front of a plain server on loopback, whose certificate can be changed while it runs."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

READ_BYTES: Final = 65_536


class TlsProxy:
    """The proxy. ``url`` is where it listens; ``present`` changes its certificate for new connections."""

    def __init__(self, port: int, certificate: Path, key: Path) -> None:
        self.url = ""
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    def present(self, certificate: Path, key: Path) -> None:
        """Present another certificate from now on, and close every connection, so that clients see it."""
        self._context.load_cert_chain(certificate, key)
        self._loop.call_soon_threadsafe(self._close_connections)

    @contextmanager
    def running(self) -> Iterator["TlsProxy"]:
        """Listen on a free port, in a thread of its own, while the context lasts."""
        thread = threading.Thread(target=self._loop.run_forever, name="tls proxy", daemon=True)
        thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(server.close)
            self._loop.call_soon_threadsafe(self._close_connections)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def _close_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        self._writers.discard(writer)
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(READ_BYTES):
            writer.write(part)
            await writer.drain()
    writer.close()
