"""The clients that jobs are requested with, for code that must not block the event loop."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar

from producers.gateway.interactive.ports import RecordPublisher, UploadStore
from producers.uploads import StoredUpload
from schemas.clock import Clock
from schemas.events import Event
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.monitoring.spans import SpanKind, publishing
from schemas.monitoring.tracing import span

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The store of uploads and the publisher. ``uploading`` executes long calls, ``calling`` short ones.

    Methods raise DependencyDown when the object store or the broker does not answer.
    """

    uploads: UploadStore
    publisher: RecordPublisher
    topics: Topics
    uploading: Executor
    calling: Executor
    clock: Clock
    new_id: Callable[[], str]

    async def upload(self, source: BinaryIO, *, name: str, content_type: str | None) -> StoredUpload:
        """Store a file and close it: a spooled file is released before the waits that follow."""
        upload = partial(self.uploads.upload, source, name=name, content_type=content_type)
        with span("upload", kind=SpanKind.CLIENT):
            stored = await asyncio.get_running_loop().run_in_executor(self.uploading, upload)
        source.close()
        return stored

    async def sha256(self, source: BinaryIO) -> str:
        """Return the digest of a file, in hexadecimal. Rewinds the file."""
        return await asyncio.get_running_loop().run_in_executor(self.uploading, _sha256, source)

    async def publish(self, event: Event, *, topic: str, job_id: str, trace: Trace) -> None:
        """Publish an event of a job. Returns once the broker has stored it."""
        record = encode(event, topic=topic, key=job_id, trace=trace)
        with span(f"publish {topic}", kind=SpanKind.PRODUCER, attributes=publishing(topic)):
            await self.call(self.publisher.publish, [record])

    async def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Execute a short call of the bucket or the broker."""
        return await asyncio.get_running_loop().run_in_executor(self.calling, function, *arguments)


def _sha256(source: BinaryIO) -> str:
    digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type] # BinaryIO has what it needs
    source.seek(0)
    return digest
