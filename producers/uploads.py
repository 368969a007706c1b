"""Uploads of files and streams of any length, each under a new key, in bounded memory."""

import hashlib
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from botocore.exceptions import BotoCoreError, ClientError

from producers.s3 import NOT_FOUND, create_client, s3_errors, status_of
from schemas.errors import AudioTooLarge
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PARTS_IN_FLIGHT: Final = 3
"""Parts sent concurrently; one more is being read, so an upload holds four parts in memory."""

SMALLEST_PART_BYTES: Final = 5 * 1024**2
"""S3's own limit for every part but the last."""

NAME_LIMIT_BYTES: Final = 200
"""Limit of the file's name in a key; a whole key may have 1,024 bytes."""

FORBIDDEN: Final = 403
"""The answer to HEAD for an object that is not there, where callers may not list the bucket."""

_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f]")
OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """Where an upload is stored, and what it was: ``sha256`` is hexadecimal."""

    uri: str
    etag: str | None
    version_id: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class _Multipart:
    """One multipart upload that has been created."""

    key: str
    upload_id: str


@dataclass(frozen=True, slots=True)
class _Put:
    """The store's answer."""

    etag: str
    version_id: str | None


class _HashingReader:
    """A source that hashes the bytes as they are read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read as from a file."""
        chunk = self._source.read(size)
        self._digest.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Uploads:
    """Uploads of files into the bucket. Safe to share between threads."""

    def __init__(
        self,
        settings: S3Settings,
        *,
        client: "S3Client | None" = None,
        random_hex: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._settings = settings
        self._client = client or create_client(settings)
        self._random_hex = random_hex
        self._part_bytes = max(settings.part_size_bytes, SMALLEST_PART_BYTES)

    def upload(
        self,
        source: BinaryIO,
        *,
        name: str,
        content_type: str | None = None,
        folder: str | None = None,
        on_bytes: OnBytes | None = None,
    ) -> StoredUpload:
        """Store the rest of ``source`` under a new key that ends in ``name``. Blocks.

        ``on_bytes`` is called with the number of bytes stored since its last call, in the caller's thread.
        ``source`` is neither rewound nor closed. Every call creates an object, unless callers name its ``folder``,
        by which ``find`` finds it: they name the same one for the same bytes only. Raises DependencyDown, and
        AudioTooLarge beyond the limit of objects; then nothing is left in the bucket.
        """
        key = self._key(folder or self._random_hex(16), name)
        on_bytes = on_bytes or _ignore
        kind = content_type or "application/octet-stream"
        hashed = _HashingReader(source)
        with s3_errors(f"uploading {name} to {self._address(key).uri}"):
            first = _read_fully(hashed, self._part_bytes)
            whole = len(first) < self._part_bytes
            put = (
                self._put(key, first, kind, on_bytes)
                if whole
                else self._put_parts(key, first, hashed, kind, on_bytes)
            )
        return self._stored(key, put, hashed.sha256)

    def find(self, folder: str, *, name: str, size_bytes: int) -> StoredUpload | None:
        """Return an earlier upload into a folder; None if there is none of this size. Blocks.

        ``sha256`` is not known and empty. Raises DependencyDown.
        """
        address = self._address(self._key(folder, name))
        with s3_errors(f"looking for {address.uri}"):
            try:
                found = self._client.head_object(Bucket=address.bucket, Key=address.key)
            except ClientError as error:
                if status_of(error) in (FORBIDDEN, NOT_FOUND):
                    return None
                raise
        if found["ContentLength"] != size_bytes:
            return None
        return self._stored(address.key, _Put(found["ETag"], found.get("VersionId")), "")

    def _stored(self, key: str, put: "_Put", sha256: str) -> StoredUpload:
        version = None if put.version_id == "null" else put.version_id
        return StoredUpload(self._address(key).uri, put.etag.strip('"'), version, sha256)

    def _key(self, folder: str, name: str) -> str:
        return f"{self._settings.uploads_prefix}{folder}/{safe_name(name)}"

    def _put(self, key: str, body: bytes, content_type: str, on_bytes: OnBytes) -> "_Put":
        answer = self._client.put_object(
            Bucket=self._settings.bucket, Key=key, Body=body, ContentType=content_type
        )
        on_bytes(len(body))
        return _Put(answer["ETag"], answer.get("VersionId"))

    def _put_parts(
        self, key: str, first: bytes, source: "_HashingReader", content_type: str, on_bytes: OnBytes
    ) -> "_Put":
        bucket = self._settings.bucket
        created = self._client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
        upload = _Multipart(key, created["UploadId"])
        try:
            parts = self._send(upload, self._limited(first, source), on_bytes)
            done = self._client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload.upload_id, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            # Parts of an upload that never completes are kept, unlisted, and billed. If the abort fails too, the
            # first error is still the one to raise.
            with suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload.upload_id)
            raise
        return _Put(done["ETag"], done.get("VersionId"))

    def _send(
        self, upload: _Multipart, bodies: Iterator[bytes], on_bytes: OnBytes
    ) -> "list[CompletedPartTypeDef]":
        parts: list[CompletedPartTypeDef] = []
        in_flight: deque[tuple[Future[str], int, int]] = deque()

        def finish_first() -> None:
            answer, number, size = in_flight.popleft()
            parts.append({"ETag": answer.result(), "PartNumber": number})
            on_bytes(size)

        with ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="upload") as threads:
            for number, body in enumerate(bodies, 1):
                in_flight.append((threads.submit(self._send_part, upload, number, body), number, len(body)))
                if len(in_flight) >= PARTS_IN_FLIGHT:
                    finish_first()
            while in_flight:
                finish_first()
        return parts

    def _send_part(self, upload: _Multipart, number: int, body: bytes) -> str:
        return self._client.upload_part(
            Bucket=self._settings.bucket,
            Key=upload.key,
            UploadId=upload.upload_id,
            PartNumber=number,
            Body=body,
        )["ETag"]

    def _limited(self, first: bytes, source: "_HashingReader") -> Iterator[bytes]:
        limit, total, body = self._settings.object_limit_bytes, 0, first
        while body:
            total += len(body)
            if total > limit:
                raise AudioTooLarge(f"more than {limit:,} bytes (KASCRIBE_S3_OBJECT_LIMIT_BYTES) were given")
            yield body
            body = _read_fully(source, self._part_bytes)

    def _address(self, key: str) -> ObjectAddress:
        return ObjectAddress(self._settings.bucket, key)


def safe_name(name: str) -> str:
    """Return the last component of a file's name, short enough for a key; ``audio`` when nothing is left."""
    last = _NOT_IN_NAMES.sub("", name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]).strip()
    short = last.encode("utf-8", "replace")[-NAME_LIMIT_BYTES:].decode("utf-8", "ignore")
    return short if short not in ("", ".", "..") else "audio"


def _read_fully(source: _HashingReader, size_bytes: int) -> bytes:
    # A socket or pipe returns less than requested long before its end.
    chunks: list[bytes] = []
    missing = size_bytes
    while missing and (chunk := source.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def _ignore(_: int) -> None:
    pass
