"""Fetch of an object to a local file: checked for size, read in parallel ranges, hashed, and removed afterwards.

::

    wanted ──▶ fetch (a context manager): first part and state ─▶ size? ─▶ other parts ──▶ FetchedAudio at a path
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consumers.s3 import BucketProbe
from consumers.transcriber.objects import Cancelled, Objects, ObjectState, OpenedObject, WantedObject
from consumers.transcriber.scratch import Scratch, disk_errors
from schemas.errors import SCRATCH, AudioEmpty, AudioNotFound, AudioTooLarge, JobCancelled
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import span
from schemas.settings import S3Settings
from schemas.transcripts.transcript import SourceObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OVERWRITTEN_ATTEMPTS: Final = 3
"""Attempts to read an object that is replaced while it is read, before the record goes to the retry topics."""

PARTS_AT_ONCE: Final = 32
"""Threads for the parts of long files after the first, which the caller's thread reads."""

CONNECTIONS: Final = 32
"""Threads that fetch at once; a caller with more gives its own number."""

HASH_BYTES: Final = 4 * 1024**2
"""Size of one read from the file while it is hashed."""


@dataclass(frozen=True, slots=True)
class FetchedAudio:
    """A local copy of an object; the file is removed when its context ends."""

    path: Path
    source: SourceObject
    source_changed: bool


def _ignore(_: ObjectState) -> None:
    pass


class ObjectFetcher:
    """Fetches objects into a scratch directory. Thread-safe; blocks its caller.

    ``connections`` are kept open for the callers' threads; those of the parts are added.
    """

    def __init__(
        self,
        settings: S3Settings,
        *,
        scratch_directory: Path | None = None,
        connections: int = CONNECTIONS,
        client: "S3Client | None" = None,
    ) -> None:
        self._settings = settings
        self._objects = Objects(settings, connections=connections + PARTS_AT_ONCE, client=client)
        # Made now: it opens files, which may be impossible when it is needed.
        results_bucket = settings.results_bucket or settings.bucket
        self._probe = BucketProbe(settings, results_bucket, prefix=settings.results_prefix)
        self._scratch = Scratch(scratch_directory)
        self._parts = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="fetch")

    def wanted(self, uri: str, *, version_id: str | None = None, etag: str | None = None) -> WantedObject:
        """Return the object of an address, to fetch it. Makes no request. Raises SourceNotAllowed."""
        return self._objects.wanted(uri, version_id=version_id, etag=etag)

    def stat(self, uri: str, *, version_id: str | None = None, etag: str | None = None) -> ObjectState:
        """Return the state of the requested version, else that of the current one with ``changed`` set.

        Blocks for one or two HEAD requests. Raises SourceNotAllowed, AudioNotFound, AudioForbidden,
        DependencyDown.
        """
        return self._objects.stat(self.wanted(uri, version_id=version_id, etag=etag))

    @contextmanager
    def fetch(
        self,
        wanted: WantedObject | ObjectState,
        *,
        cancelled: Cancelled,
        on_state: Callable[[ObjectState], None] = _ignore,
    ) -> Iterator[FetchedAudio]:
        """Copy the object to a local file that exists while the context lasts.

        An object of one part takes one request: the answer has the state too. Takes the version that ``stat``
        would take. Calls ``on_state`` before the bytes are read, again if the object was replaced until then.
        Raises AudioTooLarge and AudioEmpty before anything is read, JobCancelled soon after ``cancelled`` turns
        true, DependencyDown("scratch") when the disk is full, and what ``stat`` raises.
        """
        with self._scratch.directory() as directory:
            path = directory / "audio"
            with disk_errors(directory), span("fetch", kind=SpanKind.CLIENT) as fetching:
                if fetching.is_recorded:
                    fetching.set({"aws.s3.bucket": wanted.address.bucket, "aws.s3.key": wanted.address.key})
                state = self._read_unchanged(wanted, path, cancelled, on_state)
                fetching.set({"kascribe.object_size_bytes": state.object_size_bytes})
                with span("hash"):
                    sha256 = _sha256(path, cancelled)
            source = SourceObject(
                uri=state.address.uri,
                version_id=state.version_id,
                etag=state.etag,
                sha256=sha256,
                object_size_bytes=state.object_size_bytes,
                content_type=state.content_type,
            )
            yield FetchedAudio(path, source, state.changed)

    def require_room(self, size_bytes: int) -> None:
        """Make ``is_up("scratch")`` require this much room: decoded audio of this size did not fit."""
        self._scratch.require(size_bytes)

    def is_up(self, dependency: str) -> bool:
        """Return whether ``s3`` or ``scratch`` would serve again. Blocks for about a second at most.

        Probes the bucket of the results, which every record needs; audio may be missing without an outage.
        """
        if dependency == SCRATCH:
            return self._scratch.has_room()
        return self._probe.is_up()

    def close(self) -> None:
        """Stop the threads that read parts, and remove the scratch directory. A running fetch fails.

        Does not wait for parts that are being read, which may take as long as the store is silent.
        """
        self._parts.shutdown(wait=False, cancel_futures=True)
        self._scratch.close()

    def _read_unchanged(
        self,
        wanted: WantedObject | ObjectState,
        path: Path,
        cancelled: Cancelled,
        on_state: Callable[[ObjectState], None],
    ) -> ObjectState:
        for _ in range(OVERWRITTEN_ATTEMPTS):
            with self._objects.opened(wanted, limit_bytes=self._settings.part_size_bytes) as opened:
                on_state(opened.state)
                self._check_size(opened.state)
                if self._read(opened, path, cancelled):
                    return opened.state
            wanted = WantedObject(wanted.address, changed=True)
        raise AudioNotFound(f"{wanted.address.uri} was replaced {OVERWRITTEN_ATTEMPTS} times while it was read")

    def _check_size(self, state: ObjectState) -> None:
        size, limit = state.object_size_bytes, self._settings.object_limit_bytes
        if size == 0:
            raise AudioEmpty(f"{state.address.uri} has no bytes")
        if size > limit:
            raise AudioTooLarge(
                f"{state.address.uri} has {size:,} bytes, more than {limit:,} (KASCRIBE_S3_OBJECT_LIMIT_BYTES)"
            )
        self._scratch.check_room(size)

    def _read(self, opened: OpenedObject, path: Path, cancelled: Cancelled) -> bool:
        """Write the object to a file, the parts after the first in other threads. False: it was replaced."""
        state, part_bytes = opened.state, self._settings.part_size_bytes
        with path.open("wb") as file:
            file.truncate(state.object_size_bytes)
            parts = [
                self._parts.submit(
                    self._objects.copy_part,
                    state,
                    file.fileno(),
                    start,
                    min(start + part_bytes, state.object_size_bytes),
                    cancelled,
                )
                for start in range(opened.size_bytes, state.object_size_bytes, part_bytes)
            ]
            try:
                self._objects.copy_opened(opened, file.fileno(), cancelled)
            except BaseException:
                _end_all(parts)
                raise
            return _wait_for_all(parts)


def _wait_for_all(parts: list[Future[bool]]) -> bool:
    _, waiting = wait(parts, return_when=FIRST_EXCEPTION)
    _end_all(waiting)
    return all(part.result() for part in parts if not part.cancelled())


def _end_all(parts: Iterable[Future[bool]]) -> None:
    # A running part writes to the file, which must outlive it; one that was cancelled in the queue never runs.
    wait([part for part in parts if not part.cancel()])


def _sha256(path: Path, cancelled: Cancelled) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            if cancelled():
                raise JobCancelled("the audio was not hashed to its end")
            digest.update(chunk)
    return digest.hexdigest()
