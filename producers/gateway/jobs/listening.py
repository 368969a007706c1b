"""Sends recordings to listeners: a part at a time, as fast as each of them reads."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from producers.gateway.failures import RequestRefused
from producers.gateway.jobs.ranges import ByteRange
from producers.recordings import NamedRecording, Recording, Recordings
from schemas.errors import JobError

PART_BYTES: Final = 512 * 1024
"""Read from the bucket at once, and all that a listener takes of the gateway's memory."""

LISTENER_LIMIT: Final = 128
"""Recordings that are sent at once, in 64 MiB. A player that is paused leaves its place after 30 s."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class Listening:
    """Reads recordings on ``threads`` and counts the listeners of one process. Belongs to its event loop."""

    recordings: Recordings
    threads: Executor
    count: int = field(default=0, init=False)

    async def find(self, named: NamedRecording) -> Recording:
        """Return the object. Raises what ``Recordings.find`` raises."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.recordings.find, named)

    async def parts(self, recording: Recording, wanted: ByteRange) -> AsyncIterator[bytes]:
        """Yield the bytes of a range. No connection to the bucket is held between parts."""
        read, loop = self.recordings.read, asyncio.get_running_loop()
        for first in range(wanted.first, wanted.last + 1, PART_BYTES):
            last = min(first + PART_BYTES - 1, wanted.last)
            yield await loop.run_in_executor(self.threads, read, recording, first, last)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take the place of a listener while the context lasts. Raises RequestRefused when all are taken."""
        if self.count >= LISTENER_LIMIT:
            raise RequestRefused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "crowded",
                "too many recordings are played here; try again in a moment",
            )
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


class RecordingAnswer(StreamingResponse):
    """The bytes of a range. A listener that leaves ends it; what was read is dropped."""

    def __init__(
        self,
        listening: Listening,
        recording: Recording,
        wanted: ByteRange,
        *,
        status: HTTPStatus,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(listening.parts(recording, wanted), status_code=status, headers=headers)
        self._listening = listening
        self._uri = recording.address.uri

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. A bucket that fails after its beginning cuts it off: the client asks for the rest."""
        with self._listening.place():
            try:
                await super().__call__(scope, receive, send)
            except JobError as error:
                _log.warning("a recording was cut off", uri=self._uri, error=str(error))
