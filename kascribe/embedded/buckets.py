"""Buckets in a directory, for the embedded object store: each version's bytes are a file, an index names them.

Names are read from the index once and answered from memory. A version is in the index only after its bytes are
on the disk; a deleted one leaves the index before its bytes go. So a crash leaves at most files without a name.
"""

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

from kascribe.embedded.index import Index
from kascribe.embedded.ports import Reader
from kascribe.embedded.versions import Bucket, Kept, S3Error, Spooled, Upload, Version
from schemas.clock import Clock, SystemClock

COPY_BYTES: Final = 1024**2


class Buckets:
    """Buckets with their objects as files in ``directory``. Safe for many threads; bodies are streamed.

    Methods that write return when everything is on the disk, and raise OSError when the disk is full.
    """

    def __init__(self, directory: Path, index: Index, *, clock: Clock | None = None) -> None:
        self._directory = directory
        self._index = index
        self._clock = clock or SystemClock()
        self._buckets = index.load()
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def create(self, name: str) -> None:
        """Create a bucket. Safe to repeat."""
        with self._lock:
            if name not in self._buckets:
                self._index.put_bucket(name, versioned=False)
                self._buckets[name] = Bucket()

    def names(self) -> list[str]:
        """Return the names of all buckets."""
        with self._lock:
            return sorted(self._buckets)

    def set_versioned(self, name: str, *, versioned: bool) -> None:
        """Set whether overwritten and deleted versions are kept from now on."""
        with self._in(name) as bucket:
            self._index.put_bucket(name, versioned=versioned)
            bucket.versioned = versioned

    def is_versioned(self, name: str) -> bool:
        """Return whether overwritten and deleted versions are kept. Raises S3Error."""
        with self._in(name) as bucket:
            return bucket.versioned

    @property
    def kept(self) -> Kept:
        """What all buckets hold now, versions that were overwritten included."""
        with self._lock:
            buckets = list(self._buckets.values())
            sizes = [
                version.size_bytes
                for bucket in buckets
                for versions in bucket.objects.values()
                for version in versions
            ]
        return Kept(len(sizes), sum(sizes))

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
                _flush_to_disk(file)
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
                self._index.replace(bucket, key, (), marker)
                found.objects[key] = [*versions, marker]
                return
            gone = [each for each in versions if version_id in (None, each.version_id)]
            if not gone:
                return
            self._index.replace(bucket, key, gone)
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
                _flush_to_disk(whole)
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
                replaced = found.replaced_by_put(key, only_if_absent=only_if_absent)
                self._index.replace(bucket, key, replaced, version)
                found.objects[key] = [*(each for each in found.versions(key) if each not in replaced), version]
        except (S3Error, OSError):
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


def _flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _append(path: Path, whole: BinaryIO) -> None:
    with path.open("rb") as file:
        shutil.copyfileobj(file, whole, COPY_BYTES)


def _remove(path: Path | None) -> None:
    # A reader that has the file open can continue.
    if path is not None:
        with suppress(FileNotFoundError):
            path.unlink()
