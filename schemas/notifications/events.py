"""What a notification says, in one form for every store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Dialect(StrEnum):
    """Who worded the notification. ``other`` is any store that words it as AWS does."""

    MINIO = "minio"
    RUSTFS = "rustfs"
    CEPH = "ceph"
    AWS = "aws"
    EVENTBRIDGE = "eventbridge"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """New bytes under a key. ``key`` is the object's own key: decoded, once.

    ``object_size_bytes`` is None where the store did not say. ``user_metadata`` has lower-case names without
    ``x-amz-meta-``; it is None where the dialect cannot carry metadata, so the object itself must be asked.
    ``via`` names the bridges, outermost first: ``("sqs", "sns")``.
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
        """What tells this content of the key from another: version id, etag, or the store's sequencer."""
        return self.version_id or self.etag or self.sequencer or ""


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """Something that the store reports and that is no new audio."""

    event_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Notification:
    """All that one message holds, in its order."""

    created: tuple[ObjectCreated, ...]
    skipped: tuple[SkippedEvent, ...] = ()
