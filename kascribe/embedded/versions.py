"""Values of the embedded object store: versions of objects, the buckets that hold them, its errors. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path


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

    def versions(self, key: str) -> list[Version]:
        """Return the versions of a key, oldest first."""
        return self.objects.get(key, [])

    def replaced_by_put(self, key: str, *, only_if_absent: bool) -> list[Version]:
        """Return the versions that a new one of this key replaces. Raises S3Error for one that must be absent."""
        versions = self.versions(key)
        if only_if_absent and versions and versions[-1].path is not None:
            raise S3Error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "the object exists")
        return [] if self.versioned else versions


@dataclass(frozen=True, slots=True)
class Kept:
    """How much a store holds."""

    objects: int
    size_bytes: int


@dataclass(slots=True)
class Upload:
    """A multipart upload that is not complete."""

    bucket: str
    key: str
    headers: Mapping[str, str]
    parts: dict[int, Spooled] = field(default_factory=dict)
