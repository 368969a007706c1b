"""The writing side's S3 client: built from settings, with its exceptions translated to ours."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from schemas.errors import DependencyDown
from schemas.monitoring.error_causes import cause_of
from schemas.object_addresses import S3, ObjectAddress, remedy
from schemas.settings import S3Settings
from schemas.settings.client_refusals import s3_refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS: Final = 3
"""Per request, made by botocore; a store that fails three times counts as down."""

CREATE_ATTEMPTS: Final = 3
"""AWS answers 409 while another writer creates the same key; by the third attempt one of the two is stored."""

CONNECTIONS: Final = 64
"""Connection pool size; covers the default thread count. Beyond it botocore opens unpooled connections."""

PRECONDITION_FAILED: Final = 412
CONFLICT: Final = 409
NOT_FOUND: Final = 404
FORBIDDEN: Final = 403
NOT_ALLOWED: Final = 405
"""The status of a version that is a delete marker."""

_GENERAL_STATUSES: Final = frozenset({401, 403, 507})
_GENERAL_CODES: Final = frozenset({"NoSuchBucket", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"})
"""No rights, no room, no bucket: no record can be blamed, even if a probe that reads finds the store up."""

JSON_TYPE: Final = "application/json"


def create_client(settings: S3Settings, *, connections: int = CONNECTIONS) -> "S3Client":
    """Create a client for many threads. Makes no request; credentials come from the standard AWS_* places.

    Raises ConfigurationError for an invalid address or region.
    """
    try:
        return _unchecked_client(settings, connections)
    except (ValueError, BotoCoreError) as error:
        raise s3_refusal(error, settings) from error


def _unchecked_client(settings: S3Settings, connections: int) -> "S3Client":
    own_endpoint = settings.endpoint_url is not None
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region or ("us-east-1" if own_endpoint else None),
        config=Config(
            connect_timeout=settings.timeout_seconds,
            read_timeout=settings.timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=connections,
            tcp_keepalive=True,
            # Self-hosted stores rarely have a DNS name per bucket, and not all know the newer checksums.
            s3={"addressing_style": "path" if own_endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def s3_errors(doing: str) -> Iterator[None]:
    """Translate every exception of boto3 and botocore into DependencyDown.

    Our own keys in our own bucket can only fail for every record alike: the store is down, the credentials are
    wrong or the bucket is missing. The message begins with ``doing``.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = status_of(error)
        advice = remedy("NoSuchBucket" if status == NOT_FOUND else code)
        raise DependencyDown(
            S3,
            f"{doing}: the store answered {status} {code}{advice}",
            fails_every_record=status in _GENERAL_STATUSES or code in _GENERAL_CODES,
        ) from error
    except (BotoCoreError, Boto3Error) as error:
        raise DependencyDown(S3, f"{doing}: {error}{cause_of(error)}") from error


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an error; 0 when it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class ObjectRemoval(Enum):
    """What became of an object that was to be deleted."""

    DELETED = auto()
    ABSENT = auto()
    CHANGED = auto()
    FORBIDDEN = auto()


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing describes it."""

    key: str
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class WholeObject:
    """An object with its content type and metadata."""

    body: bytes
    content_type: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JsonObjects:
    """JSON bodies under keys of one bucket. Safe to share between threads; every method blocks.

    Raises DependencyDown("s3") when the store does not serve.
    """

    client: "S3Client"
    bucket: str
    write_refused: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)
    """Set from a write that no right, room or bucket allowed until ``is_writable`` finds that one succeeds."""

    def is_writable(self, key: str) -> bool:
        """Return whether objects can be created, as far as is known. Asks, with this key, only after a refusal.

        A probe that reads finds a bucket well in which nothing can be stored.
        """
        if not self.write_refused.is_set():
            return True
        try:
            self.create(key, b"{}")
        except DependencyDown as error:
            return not error.fails_every_record
        self.write_refused.clear()
        return True

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return ObjectAddress(self.bucket, key).uri

    def create(self, key: str, body: bytes) -> bool:
        """Store a body unless there is one, atomically. False: it exists, or another writer is creating it."""
        with self._noting_refusals(), s3_errors(f"creating {self.uri(key)}"):
            try:
                self.client.put_object(
                    Bucket=self.bucket, Key=key, Body=body, ContentType=JSON_TYPE, IfNoneMatch="*"
                )
            except ClientError as error:
                if status_of(error) in (PRECONDITION_FAILED, CONFLICT):
                    return False
                raise
        return True

    def claim(self, key: str, body: bytes) -> bytes:
        """Store a body unless there is one, and return the stored one, this or another writer's."""
        for _ in range(CREATE_ATTEMPTS):
            if self.create(key, body):
                return body
            stored = self.read(key)
            if stored is not None:
                return stored
        raise DependencyDown(S3, f"{self.uri(key)} could be neither created nor read")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, in order. Keys that belong together are few: all are held in memory."""
        return [found.key for found in self.listed(prefix)]

    def listed(self, prefix: str) -> list[ListedObject]:
        """Return the objects below a prefix, in the order of their keys; all are held in memory."""
        with s3_errors(f"listing {self.uri(prefix)}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                ListedObject(found["Key"], found["ETag"], found["LastModified"])
                for page in pages
                for found in page.get("Contents", [])
            ]

    def delete(self, key: str, *, version_id: str | None = None) -> None:
        """Delete an object, if there is one. Where the bucket keeps versions, the others stay."""
        with s3_errors(f"deleting {self.uri(key)}"):
            if version_id is None:
                self.client.delete_object(Bucket=self.bucket, Key=key)
            else:
                self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)

    def delete_unchanged(self, key: str, *, version_id: str | None, etag: str | None) -> ObjectRemoval:
        """Delete an object of a caller's, unless it is another one by now. ``etag``: None is any.

        A policy that forbids it is no failure of the store.
        """
        with s3_errors(f"deleting {self.uri(key)}"):
            try:
                if version_id is not None:
                    self.client.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
                    self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)
                    return ObjectRemoval.DELETED
                found = self.client.head_object(Bucket=self.bucket, Key=key)
                if etag and found["ETag"].strip('"') != etag.strip('"'):
                    return ObjectRemoval.CHANGED
                self.client.delete_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if status_of(error) in (NOT_FOUND, NOT_ALLOWED):
                    return ObjectRemoval.ABSENT
                if status_of(error) == FORBIDDEN:
                    return ObjectRemoval.FORBIDDEN
                raise
        return ObjectRemoval.DELETED

    def find(self, key: str) -> ListedObject | None:
        """Return an object as a listing describes it; None when there is none."""
        with s3_errors(f"looking for {self.uri(key)}"):
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if status_of(error) == NOT_FOUND:
                    return None
                raise
        return ListedObject(key, found["ETag"], found["LastModified"])

    def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return self.find(key) is not None

    def read_whole(self, key: str) -> WholeObject | None:
        """Return an object with what has to be given again when it is stored anew; None when there is none."""
        with s3_errors(f"reading {self.uri(key)}"):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key)
                with closing(answer["Body"]) as body:
                    return WholeObject(body.read(), answer["ContentType"], answer.get("Metadata", {}))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                    return None
                raise

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = JSON_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Store a body, replacing any that was there; return its URI."""
        with self._noting_refusals(), s3_errors(f"writing {self.uri(key)}"):
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, Metadata=metadata or {}
            )
        return self.uri(key)

    def read(self, key: str) -> bytes | None:
        """Return the body; None when there is none."""
        found = self.read_whole(key)
        return found.body if found else None

    @contextmanager
    def _noting_refusals(self) -> Iterator[None]:
        try:
            yield
        except DependencyDown as error:
            if error.fails_every_record:
                self.write_refused.set()
            raise
