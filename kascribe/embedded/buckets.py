"""Buckets in a directory, for the embedded object store: bytes in files, names and versions in memory."""

import hashlib
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

from kascribe.embedded.ports import Reader
from schemas.clock import Clock, SystemClock

COPY_BYTES: Final = 1024**2


class S3Error(Exception):
    """An error response of S3: an HTTP status and a code of S3."""

    def __init__(self, status: HTTPStatus, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Spooled:
    """Bytes in a file of their own that belong to no object yet."""

    path: Path
    md5: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object. Without a path it is a delete marker."""

    version_id: str
    path: Path | None
    etag: str
    size_bytes: int
    headers: Mapping[str, str]
    modified: datetime


@dataclass(slots=True)
class Bucket:
    """The versions of every key, oldest first."""

    versioned: bool = False
    objects: dict[str, list[Version]] = field(default_factory=dict)

    def put(self, key: str, version: Version, *, only_if_absent: bool) -> list[Version]:
        """Make a version the newest one; return the versions that it replaces. Raises S3Error."""
        versions = self.objects.get(key, [])
        if only_if_absent and versions and versions[-1].path is not None:
            raise S3Error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "the object exists")
        self.objects[key] = [*versions, version] if self.versioned else [version]
        return [] if self.versioned else versions


@dataclass(slots=True)
class Upload:
    """A multipart upload that is not complete."""

    bucket: str
    key: str
    headers: Mapping[str, str]
    parts: dict[int, Spooled] = field(default_factory=dict)


class Buckets:
    """Buckets with their objects as files below ``directory``. Safe for many threads; bodies are streamed."""

    def __init__(self, directory: Path, *, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()
        self._buckets: dict[str, Bucket] = {}
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def create(self, name: str) -> None:
        """Create a bucket. Safe to repeat."""
        with self._lock:
            self._buckets.setdefault(name, Bucket())

    def names(self) -> list[str]:
        """Return the names of all buckets."""
        with self._lock:
            return sorted(self._buckets)

    def set_versioned(self, name: str, *, versioned: bool) -> None:
        """Set whether overwritten and deleted versions are kept from now on."""
        with self._in(name) as bucket:
            bucket.versioned = versioned

    def is_versioned(self, name: str) -> bool:
        """Return whether overwritten and deleted versions are kept. Raises S3Error."""
        with self._in(name) as bucket:
            return bucket.versioned

    def spool(self, body: Reader) -> Spooled:
        """Write a body to a file. Leaves nothing when the body ends early or the disk is full."""
        path, size_bytes = self._directory / uuid.uuid4().hex, 0
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with path.open("wb") as file:
                while piece := body.read(COPY_BYTES):
                    file.write(piece)
                    digest.update(piece)
                    size_bytes += len(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Spooled(path, digest.hexdigest(), size_bytes)

    def put(
        self, bucket: str, key: str, spooled: Spooled, headers: Mapping[str, str], *, only_if_absent: bool = False
    ) -> Version:
        """Store a spooled body as an object, atomically. Raises S3Error, after removing the body."""
        return self._put(bucket, key, spooled, spooled.md5, headers, only_if_absent=only_if_absent)

    def get(self, bucket: str, key: str, version_id: str | None = None) -> Version:
        """Return a version that has bytes: the newest unless one is named. Raises S3Error."""
        with self._in(bucket) as found:
            versions = found.objects.get(key, [])
            if version_id is None:
                if not versions or versions[-1].path is None:
                    raise S3Error(HTTPStatus.NOT_FOUND, "NoSuchKey", "there is no such object")
                return versions[-1]
            named = next((each for each in versions if each.version_id == version_id), None)
        if named is None:
            raise S3Error(HTTPStatus.NOT_FOUND, "NoSuchVersion", "there is no such version")
        if named.path is None:
            raise S3Error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", "this version is a delete marker")
        return named

    def delete(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Delete a version, or, where versions are kept, mark the object as deleted. Safe to repeat."""
        with self._in(bucket) as found:
            versions = found.objects.get(key, [])
            if version_id is None and found.versioned:
                marker = Version(uuid.uuid4().hex, None, "", 0, {}, self._clock.now())
                found.objects[key] = [*versions, marker]
                return
            gone = [each for each in versions if version_id in (None, each.version_id)]
            found.objects[key] = [each for each in versions if each not in gone]
            if not found.objects[key]:
                del found.objects[key]
        for version in gone:
            _remove(version.path)

    def keys(self, bucket: str, prefix: str = "") -> Iterator[tuple[str, Version]]:
        """Return the objects with keys that begin with ``prefix``, sorted, as they are now."""
        with self._in(bucket) as found:
            newest = [(key, versions[-1]) for key, versions in found.objects.items() if key.startswith(prefix)]
        return ((key, version) for key, version in sorted(newest) if version.path is not None)

    def begin(self, bucket: str, key: str, headers: Mapping[str, str]) -> str:
        """Create a multipart upload; return its id."""
        upload_id = uuid.uuid4().hex
        with self._in(bucket):
            self._uploads[upload_id] = Upload(bucket, key, headers)
        return upload_id

    def put_part(self, upload_id: str, number: int, spooled: Spooled) -> None:
        """Add a part; replace one of the same number. Raises S3Error."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            before = upload.parts.get(number) if upload else spooled
            if upload:
                upload.parts[number] = spooled
        _remove(before.path if before else None)
        if upload is None:
            raise _no_upload()

    def complete(self, upload_id: str, parts: list[tuple[int, str]], *, only_if_absent: bool = False) -> Version:
        """Make one object of the parts (number and etag) in their order. Raises S3Error."""
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None:
                raise _no_upload()
            chosen = [upload.parts.get(number) for number, _ in parts]
            sound = [part for part, (_, etag) in zip(chosen, parts, strict=True) if part and part.md5 == etag]
            numbers = [number for number, _ in parts]
            if not parts or len(sound) < len(parts) or numbers != sorted(set(numbers)):
                raise S3Error(
                    HTTPStatus.BAD_REQUEST, "InvalidPart", "a part is missing, another one, twice, or in disorder"
                )
            del self._uploads[upload_id]
        digest = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in sound), usedforsecurity=False)
        try:
            spooled = self._joined(sound)
        finally:
            for part in upload.parts.values():
                _remove(part.path)
        etag = f"{digest.hexdigest()}-{len(sound)}"
        return self._put(upload.bucket, upload.key, spooled, etag, upload.headers, only_if_absent=only_if_absent)

    def abort(self, upload_id: str) -> None:
        """Remove an upload and its parts. Raises S3Error."""
        with self._lock:
            upload = self._uploads.pop(upload_id, None)
        if upload is None:
            raise _no_upload()
        for part in upload.parts.values():
            _remove(part.path)

    def _joined(self, parts: list[Spooled]) -> Spooled:
        """Join all parts in one file; remove each part's file as soon as its bytes are copied."""
        path = self._directory / uuid.uuid4().hex
        try:
            with path.open("wb") as whole:
                for part in parts:
                    _append(part.path, whole)
                    part.path.unlink()
        except BaseException:
            _remove(path)
            raise
        return Spooled(path, "", sum(part.size_bytes for part in parts))

    def _put(
        self,
        bucket: str,
        key: str,
        spooled: Spooled,
        etag: str,
        headers: Mapping[str, str],
        *,
        only_if_absent: bool,
    ) -> Version:
        version = Version(uuid.uuid4().hex, spooled.path, etag, spooled.size_bytes, headers, self._clock.now())
        try:
            with self._in(bucket) as found:
                replaced = found.put(key, version, only_if_absent=only_if_absent)
        except S3Error:
            _remove(spooled.path)
            raise
        for each in replaced:
            _remove(each.path)
        return version

    @contextmanager
    def _in(self, name: str) -> Iterator[Bucket]:
        with self._lock:
            if name not in self._buckets:
                raise S3Error(HTTPStatus.NOT_FOUND, "NoSuchBucket", "there is no such bucket")
            yield self._buckets[name]


def _no_upload() -> S3Error:
    return S3Error(HTTPStatus.NOT_FOUND, "NoSuchUpload", "there is no such upload")


def _append(path: Path, whole: BinaryIO) -> None:
    with path.open("rb") as file:
        shutil.copyfileobj(file, whole, COPY_BYTES)


def _remove(path: Path | None) -> None:
    # A reader that has the file open can continue.
    if path is not None:
        with suppress(FileNotFoundError):
            path.unlink()
