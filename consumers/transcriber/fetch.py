"""Fetch of an object to a local file: checked for size, read in parallel ranges, hashed, and removed afterwards.

::

    stat ──▶ ObjectState ──▶ fetch (a context manager) ──▶ FetchedAudio at a path, removed at the end
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consumers.s3 import BucketProbe, create_client, s3_errors
from consumers.transcriber.scratch import Scratch, disk_errors, write_at
from schemas.errors import (
    SCRATCH,
    AudioEmpty,
    AudioForbidden,
    AudioNotFound,
    AudioTooLarge,
    DependencyDown,
    JobCancelled,
)
from schemas.object_addresses import S3, ObjectAddress, allowed_address
from schemas.settings import S3Settings
from schemas.transcripts.transcript import SourceObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_BYTES: Final = 256 * 1024
"""Size of one read from a connection: bounds the memory of a part, and how late a cancelled one ends."""

OVERWRITTEN_ATTEMPTS: Final = 3
"""Attempts to read an object that is replaced while it is read, before the record goes to the retry topics."""

HASH_BYTES: Final = 4 * 1024**2
"""Size of one read from the file while it is hashed."""

Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class ObjectState:
    """An object at one moment. ``changed``: it is not the version that was requested."""

    address: ObjectAddress
    version_id: str | None
    etag: str
    object_size_bytes: int
    content_type: str | None
    reported_metadata: Mapping[str, str]
    changed: bool


@dataclass(frozen=True, slots=True)
class FetchedAudio:
    """A local copy of an object; the file is removed when its context ends."""

    path: Path
    source: SourceObject
    source_changed: bool


class ObjectFetcher:
    """Fetches objects into a scratch directory. Thread-safe; blocks its caller."""

    def __init__(
        self,
        settings: S3Settings,
        *,
        scratch_directory: Path | None = None,
        connections: int = 32,
        client: "S3Client | None" = None,
    ) -> None:
        self._settings = settings
        self._client = client or create_client(settings, connections=connections)
        self._scratch = Scratch(scratch_directory)
        self._parts = ThreadPoolExecutor(connections, thread_name_prefix="fetch")

    def stat(self, uri: str, *, version_id: str | None = None, etag: str | None = None) -> ObjectState:
        """Return the state of the requested version, else that of the current one with ``changed`` set.

        Blocks for one or two HEAD requests. Raises SourceNotAllowed, AudioNotFound, AudioForbidden,
        DependencyDown.
        """
        address = allowed_address(uri, self._settings)
        if version_id is not None:
            try:
                return self._head(address, version_id, etag)
            except (AudioNotFound, AudioForbidden):
                # The version is deleted, is no version id of this store, or may not be read by version.
                current = self._head(address, None, etag)
                return current if etag else replace(current, changed=True)
        return self._head(address, None, etag)

    @contextmanager
    def fetch(self, state: ObjectState, *, cancelled: Cancelled) -> Iterator[FetchedAudio]:
        """Copy the object to a local file that exists while the context lasts.

        Raises AudioTooLarge and AudioEmpty before anything is read, JobCancelled soon after ``cancelled`` turns
        true, DependencyDown("scratch") when the disk is full, and what ``stat`` raises.
        """
        with self._scratch.directory() as directory:
            path = directory / "audio"
            with disk_errors(directory):
                state = self._read_unchanged(state, path, cancelled)
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

    @cached_property
    def _probe(self) -> BucketProbe:
        return BucketProbe(self._settings, self._settings.results_bucket or self._settings.bucket)

    def close(self) -> None:
        """Stop the threads that read parts, and remove the scratch directory. A running fetch fails.

        Does not wait for parts that are being read, which may take as long as the store is silent.
        """
        self._parts.shutdown(wait=False, cancel_futures=True)
        self._scratch.close()

    def _head(self, address: ObjectAddress, version_id: str | None, etag: str | None) -> ObjectState:
        version: Any = {"VersionId": version_id} if version_id else {}
        try:
            with s3_errors(f"looking up {address.uri}"):
                answer = self._client.head_object(Bucket=address.bucket, Key=address.key, **version)
        except AudioForbidden:
            self._raise_reason(address, version)
            raise
        current_etag = answer["ETag"].strip('"')
        return ObjectState(
            address=address,
            version_id=_version(answer.get("VersionId")),
            etag=current_etag,
            object_size_bytes=answer["ContentLength"],
            content_type=answer.get("ContentType"),
            reported_metadata=answer["Metadata"],
            changed=etag is not None and etag.strip('"') != current_etag,
        )

    def _raise_reason(self, address: ObjectAddress, version: Any) -> None:
        # HEAD has no body, so its refusal does not tell a forbidden object from wrong credentials, which affect
        # every record and must pause intake. The answer to GET does.
        with s3_errors(f"looking up {address.uri}"):
            self._client.get_object(Bucket=address.bucket, Key=address.key, Range="bytes=0-0", **version)[
                "Body"
            ].close()

    def _read_unchanged(self, state: ObjectState, path: Path, cancelled: Cancelled) -> ObjectState:
        for _ in range(OVERWRITTEN_ATTEMPTS):
            self._check_size(state)
            if self._read(state, path, cancelled):
                return state
            state = replace(self._head(state.address, None, None), changed=True)
        raise AudioNotFound(f"{state.address.uri} was replaced {OVERWRITTEN_ATTEMPTS} times while it was read")

    def _check_size(self, state: ObjectState) -> None:
        size, limit = state.object_size_bytes, self._settings.object_limit_bytes
        if size == 0:
            raise AudioEmpty(f"{state.address.uri} has no bytes")
        if size > limit:
            raise AudioTooLarge(
                f"{state.address.uri} has {size:,} bytes, more than {limit:,} (KASCRIBE_S3_OBJECT_LIMIT_BYTES)"
            )
        self._scratch.check_room(size)

    def _read(self, state: ObjectState, path: Path, cancelled: Cancelled) -> bool:
        part_bytes = self._settings.part_size_bytes
        with path.open("wb") as file:
            file.truncate(state.object_size_bytes)
            starts = range(0, state.object_size_bytes, part_bytes)
            if len(starts) == 1:
                return self._read_part(state, file.fileno(), 0, state.object_size_bytes, cancelled)
            parts = [
                self._parts.submit(
                    self._read_part,
                    state,
                    file.fileno(),
                    start,
                    min(start + part_bytes, state.object_size_bytes),
                    cancelled,
                )
                for start in starts
            ]
            return _wait_for_all(parts)

    def _read_part(self, state: ObjectState, file: int, start: int, end: int, cancelled: Cancelled) -> bool:
        # False: the object is no longer the one in ``state``.
        version: Any = {"VersionId": state.version_id} if state.version_id else {}
        with s3_errors(f"reading {state.address.uri}"):
            try:
                answer = self._client.get_object(
                    Bucket=state.address.bucket,
                    Key=state.address.key,
                    IfMatch=f'"{state.etag}"',
                    Range=f"bytes={start}-{end - 1}",
                    **version,
                )
            except self._client.exceptions.ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (412, 416):
                    return False
                raise
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(READ_BYTES):
                    if cancelled():
                        raise JobCancelled(f"{state.address.uri} was not read to its end")
                    write_at(file, chunk, start)
                    start += len(chunk)
        if start != end:
            raise DependencyDown(S3, f"{state.address.uri}: an answer ended {end - start:,} bytes early")
        return True


def _wait_for_all(parts: list[Future[bool]]) -> bool:
    done, waiting = wait(parts, return_when=FIRST_EXCEPTION)
    # A running part writes to the file, which must outlive it; one that was cancelled in the queue never runs.
    wait([part for part in waiting if not part.cancel()])
    return all(part.result() for part in done)


def _sha256(path: Path, cancelled: Cancelled) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            if cancelled():
                raise JobCancelled("the audio was not hashed to its end")
            digest.update(chunk)
    return digest.hexdigest()


def _version(version_id: str | None) -> str | None:
    return None if version_id in (None, "", "null") else version_id
