"""Contents of a notification, in one form for every store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Dialect(StrEnum):
    """Source of the notification. ``other`` is any store that uses AWS's format."""

    MINIO = "minio"
    RUSTFS = "rustfs"
    CEPH = "ceph"
    AWS = "aws"
    EVENTBRIDGE = "eventbridge"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """New bytes under a key. ``key`` is the object's key, decoded exactly once.

    ``object_size_bytes`` is None where the store does not report it. ``user_metadata`` has lower-case names,
    without ``x-amz-meta-``. It is None where the dialect cannot carry metadata, so that it must be read from the
    object. ``via`` names the bridges, outermost first: ``("sqs", "sns")``.
    """

    dialect: Dialect
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    object_size_bytes: int | None
    sequencer: str | None
    user_metadata: Mapping[str, str] | None
    event_time: datetime | None
    event_name: str
    via: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """``s3://bucket/key``, the key not encoded."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """The identity of this content of the key: version id, else etag, else the store's sequencer."""
        return self.version_id or self.etag or self.sequencer or ""


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """An event that is not new audio."""

    event_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Notification:
    """All events of one message, in its order."""

    created: tuple[ObjectCreated, ...]
    skipped: tuple[SkippedEvent, ...] = ()
