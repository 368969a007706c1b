"""Submission of one file or address as a reference; ``submit`` and the drop folder share it."""

import hashlib
import mimetypes
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from kascribe.sources.arguments import S3_SCHEME, Source, readable
from producers.publisher import Publisher
from producers.uploads import StoredUpload, Uploads
from schemas.clock import Clock, SystemClock
from schemas.errors import AudioEmpty
from schemas.events import AudioReference
from schemas.identity import job_id, submission_key
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.monitoring.spans import SpanKind, publishing
from schemas.monitoring.tracing import Tracer, entered, note, span
from schemas.options import EnrichOptions, Lane, TranscribeOptions

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """The options for every source of one submission."""

    options: TranscribeOptions = field(default_factory=TranscribeOptions)
    enrich: EnrichOptions | None = None
    lane: Lane = Lane.BULK
    idempotency_key: str | None = None
    webhook_url: str | None = None

    def identified(self, source: Source, content: str | None) -> "SubmissionRequest":
        """Return the request with a key, by which the same source with the same options is one job.

        ``content`` identifies the source's bytes. A key that was given stays; without both, every submission is a
        job of its own.
        """
        if self.idempotency_key or content is None:
            return self
        place = source.location if source.is_object else source.name
        return replace(
            self, idempotency_key=submission_key(place, content, options=self.options, enrich=self.enrich)
        )


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
    tracer: Tracer | None = None

    def submit(
        self,
        source: str,
        request: SubmissionRequest,
        *,
        name: str | None = None,
        content: str | None = None,
        on_bytes: OnBytes | None = None,
    ) -> SubmittedJob:
        """Submit one file or ``s3://`` address. ``on_bytes`` is called with the number of further bytes uploaded.

        ``name`` is for people; without one it is the last component of the source.
        Raises AudioEmpty for an empty file, OSError for one that cannot be read.
        Each submission is a job of its own unless the request has an idempotency key; the same audio is still not
        transcribed twice, since results are reused by content. With ``content``, which identifies a file's bytes,
        an upload of an earlier submission of the same job is used again if it is still there. With a tracer, the
        submission is the first span of the job's trace.
        """
        trace = Trace.start() if self.tracer is None else self.tracer.start()
        active = self.tracer.begin(trace, "submit", kind=SpanKind.PRODUCER) if self.tracer else None
        try:
            with entered(active):
                return self._submit(source, request, trace, name=name, content=content, on_bytes=on_bytes)
        except BaseException as error:
            if active is not None:
                active.fail(error)
            raise
        finally:
            if active is not None:
                active.end()

    def _submit(
        self,
        source: str,
        request: SubmissionRequest,
        trace: Trace,
        *,
        name: str | None,
        content: str | None,
        on_bytes: OnBytes | None,
    ) -> SubmittedJob:
        key = request.idempotency_key or f"submit:{self.new_id()}"
        name = readable(name or source.rstrip("/").rsplit("/", 1)[-1])
        folder = job_id(f"{content}:{key}") if content else None
        with span("upload", kind=SpanKind.CLIENT):
            uri, etag, version_id = self._stored(source, name, folder, on_bytes)
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
            webhook_url=request.webhook_url,
        )
        identity = job_id(key)
        note({"kascribe.job_id": identity})
        record = encode(reference, topic=self.topics.references, key=identity, trace=trace)
        with span(f"publish {record.topic}", kind=SpanKind.PRODUCER, attributes=publishing(record.topic)):
            self.publisher.publish([record])
        return SubmittedJob(identity, name, uri, reference.event_id)

    def _stored(
        self, source: str, name: str, folder: str | None, on_bytes: OnBytes | None
    ) -> tuple[str, str | None, str | None]:
        if source.startswith(S3_SCHEME):
            return source, None, None
        path = Path(source)
        size_bytes = path.stat().st_size
        if not size_bytes:
            raise AudioEmpty("it is empty (0 bytes): see whether it was copied to its end, and put it there again")
        earlier = self.uploads.find(folder, name=name, size_bytes=size_bytes) if folder else None
        if earlier and on_bytes:
            on_bytes(size_bytes)
        stored = earlier or self._uploaded(path, name, folder, on_bytes)
        return stored.uri, stored.etag, stored.version_id

    def _uploaded(self, path: Path, name: str, folder: str | None, on_bytes: OnBytes | None) -> StoredUpload:
        content_type, _ = mimetypes.guess_type(name)
        with path.open("rb") as file:
            return self.uploads.upload(
                file, name=name, content_type=content_type, folder=folder, on_bytes=on_bytes
            )


def sha256_of(source: Source) -> str:
    """Return the digest of a file's bytes. Blocks; raises OSError."""
    with Path(source.location).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
