"""Formats of stores and bridges, limited to the fields that are used. Unknown fields are ignored."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

NonEmptyText = Annotated[str, Field(min_length=1)]


def _absent_when_empty(value: object) -> object:
    # Ceph writes "" and MinIO "null" for an object without a version.
    return None if value in ("", "null") else value


def _metadata(value: object) -> object:
    # Ceph: [{"key": .., "val": ..}]; MinIO and RustFS: an object.
    if not isinstance(value, list):
        return value
    pairs = [pair for pair in value if isinstance(pair, dict)]
    return {str(pair.get("key", "")): str(pair.get("val", pair.get("value", ""))) for pair in pairs}


def _time_or_none(value: object) -> object:
    # Nothing depends on the time, so an invalid one is not a reason to refuse audio.
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


OptionalText = Annotated[str | None, BeforeValidator(_absent_when_empty)]
OptionalTime = Annotated[datetime | None, BeforeValidator(_time_or_none)]


class Shape(BaseModel):
    """Base of the formats."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class S3Bucket(Shape):
    """``s3.bucket``."""

    name: NonEmptyText


class S3Object(Shape):
    """``s3.object``; sizes may be text (Ceph's documentation), removals have few fields."""

    key: NonEmptyText
    size: int | None = Field(default=None, ge=0)
    etag: OptionalText = Field(default=None, validation_alias=AliasChoices("eTag", "etag"))
    version_id: OptionalText = Field(default=None, validation_alias=AliasChoices("versionId", "version-id"))
    sequencer: OptionalText = None
    user_metadata: Annotated[dict[str, str] | None, BeforeValidator(_metadata)] = Field(
        default=None, validation_alias=AliasChoices("userMetadata", "metadata")
    )


class S3Entity(Shape):
    """``s3``."""

    bucket: S3Bucket
    object: S3Object


class S3Record(Shape):
    """One of the ``Records`` of MinIO, RustFS, Ceph RGW and AWS."""

    event_source: str = Field(default="", validation_alias="eventSource")
    event_name: NonEmptyText = Field(validation_alias="eventName")
    event_time: OptionalTime = Field(default=None, validation_alias="eventTime")
    s3: S3Entity


class EventBridgeDetail(Shape):
    """``detail`` of an S3 event on EventBridge."""

    bucket: S3Bucket
    object: S3Object
    reason: str = ""


class EventBridgeEvent(Shape):
    """An S3 event on EventBridge."""

    detail_type: NonEmptyText = Field(validation_alias="detail-type")
    time: OptionalTime = None
    detail: EventBridgeDetail


Json = dict[str, Any]
