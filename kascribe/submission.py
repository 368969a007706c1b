"""Submission of files and addresses as references; ``submit`` and the drop folder share it."""

import mimetypes
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kascribe.dropped_files import files_in
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.clock import Clock, SystemClock
from schemas.errors import AudioEmpty, ConfigurationError
from schemas.events import AudioReference
from schemas.identity import job_id
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.options import EnrichOptions, Lane, TranscribeOptions

S3_SCHEME: Final = "s3://"


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """The options for every source of one submission."""

    options: TranscribeOptions = field(default_factory=TranscribeOptions)
    enrich: EnrichOptions | None = None
    lane: Lane = Lane.BULK
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """A job with a published reference."""

    job_id: str
    name: str
    uri: str
    reference_event_id: str


@dataclass(frozen=True, slots=True)
class Submitter:
    """Uploads and publishes. Blocks until the broker has stored the reference; safe to call from any thread."""

    uploads: Uploads
    publisher: Publisher
    topics: Topics
    clock: Clock = field(default_factory=SystemClock)
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex

    def submit(
        self,
        source: str,
        request: SubmissionRequest,
        *,
        name: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> SubmittedJob:
        """Submit one file or ``s3://`` address. ``on_bytes`` is called with the number of further bytes uploaded.

        ``name`` is for people; without one it is the last component of the source.
        Raises AudioEmpty for an empty file, OSError for one that cannot be read.
        Each submission is a job of its own unless the request has an idempotency key; the same audio is still not
        transcribed twice, since results are reused by content.
        """
        key = request.idempotency_key or f"submit:{self.new_id()}"
        name = readable(name or source.rstrip("/").rsplit("/", 1)[-1])
        uri, etag, version_id = self._stored(source, on_bytes)
        reference = AudioReference(
            event_id=self.new_id(),
            occurred_at=self.clock.now(),
            uri=uri,
            etag=etag,
            version_id=version_id,
            idempotency_key=key,
            options=request.options,
            enrich=request.enrich,
            lane=request.lane,
            metadata={"name": name},
        )
        identity = job_id(key)
        record = encode(reference, topic=self.topics.references, key=identity, trace=Trace.start())
        self.publisher.publish([record])
        return SubmittedJob(identity, name, uri, reference.event_id)

    def _stored(self, source: str, on_bytes: Callable[[int], None] | None) -> tuple[str, str | None, str | None]:
        if source.startswith(S3_SCHEME):
            return source, None, None
        path = Path(source)
        if not path.stat().st_size:
            raise AudioEmpty("it is empty (0 bytes): see whether it was copied to its end, and put it there again")
        content_type, _ = mimetypes.guess_type(path.name)
        with path.open("rb") as file:
            stored = self.uploads.upload(file, name=path.name, content_type=content_type, on_bytes=on_bytes)
        return stored.uri, stored.etag, stored.version_id


def readable(name: str) -> str:
    """Return a file's name as text that can be sent: bytes that are not UTF-8 (old archives) are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Source:
    """A file or an address, and its name."""

    location: str
    name: str


def sources_of(arguments: list[str]) -> Iterator[Source]:
    """Yield the files and addresses that arguments name; a directory names the files in it, at any depth.

    Raises ConfigurationError for a path that does not exist.
    """
    for argument in arguments:
        path = Path(argument)
        if argument.startswith(S3_SCHEME) or path.is_file():
            yield Source(argument, readable(argument.rstrip("/").rsplit("/", 1)[-1]))
        elif path.is_dir():
            for inner, _ in files_in(path):
                yield Source(str(inner), readable(inner.relative_to(path).as_posix()))
        else:
            raise ConfigurationError(f"{argument} is neither a file, a directory nor an s3:// address")
