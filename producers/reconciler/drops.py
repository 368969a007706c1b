"""Dropped objects as listings describe them, and the requests that their notifications would be. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.identity import default_notification_key, job_id
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.notifications import Dialect, ObjectCreated, requested_options, to_reference, valid_options
from schemas.notifications.metadata import PREFIX, plain_metadata

EVENT_SOURCE: Final = "kascribe:reconciler"
"""``eventSource`` of a notification that the reconciler writes."""

_EVENT_NAME: Final = "ObjectCreated:Put"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, or one version of it, as a listing describes it. ``version_id`` is None without versioning."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    object_size_bytes: int
    modified_at: datetime

    def created(self, user_metadata: Mapping[str, str]) -> ObjectCreated:
        """Return the event of which the store's notification would have told. ``user_metadata`` is plain."""
        return ObjectCreated(
            dialect=Dialect.OTHER,
            bucket=self.bucket,
            key=self.key,
            version_id=self.version_id,
            etag=self.etag,
            object_size_bytes=self.object_size_bytes,
            sequencer=None,
            user_metadata=user_metadata,
            event_time=self.modified_at,
            event_name=_EVENT_NAME,
        )

    @property
    def default_job_id(self) -> str:
        """The job of the object if its metadata has no options: found without a request to the store."""
        version = self.version_id or self.etag
        return job_id(default_notification_key(bucket=self.bucket, key=self.key, version=version))


@dataclass(frozen=True, slots=True)
class Drop:
    """A dropped object with its metadata, as the store reports them, and the reference that it makes.

    ``is_refused``: its options are invalid; the reference has the valid ones, as the job's failure will.
    """

    found: StoredObject
    reported_metadata: Mapping[str, str]
    reference: AudioReference
    is_refused: bool

    @property
    def job_id(self) -> str:
        """The job that the object requests."""
        return _job_of(self.reference)

    def record(self, topics: Topics, trace: Trace) -> OutgoingRecord:
        """Return the record that requests the job.

        Refused options go out as the notification that was lost: the transcriber refuses it, and reports the
        failure as it does for any other notification.
        """
        if not self.is_refused:
            return wire.encode(self.reference, topic=topics.references, key=self.job_id, trace=trace)
        headers = (("content-type", b"application/json"), *trace.headers)
        key = f"{self.found.bucket}/{self.found.key}".encode()
        return OutgoingRecord(topics.objects, key, _notification(self.found, self.reported_metadata), headers)


def drop_of(found: StoredObject, reported_metadata: Mapping[str, str]) -> Drop:
    """Return the drop of an object. The metadata are as HEAD reports them, without ``x-amz-meta-``."""
    plain = plain_metadata(_with_prefix(reported_metadata))
    created = found.created(plain)
    try:
        requested, is_refused = requested_options(plain), False
    except InvalidOptions:
        requested, is_refused = valid_options(plain), True
    reference = to_reference(created, requested, now=found.modified_at)
    return Drop(found, reported_metadata, reference, is_refused)


def _job_of(reference: AudioReference) -> str:
    return job_id(reference.idempotency_key or "")


def _with_prefix(reported_metadata: Mapping[str, str]) -> dict[str, str]:
    return {PREFIX + name: value for name, value in reported_metadata.items()}


def _notification(found: StoredObject, reported_metadata: Mapping[str, str]) -> bytes:
    described = {
        "key": quote_plus(found.key),
        "size": found.object_size_bytes,
        "eTag": found.etag,
        "versionId": found.version_id or "",
        "userMetadata": _with_prefix(reported_metadata),
    }
    record = {
        "eventSource": EVENT_SOURCE,
        "eventTime": found.modified_at.isoformat(),
        "eventName": _EVENT_NAME,
        "s3": {"bucket": {"name": found.bucket}, "object": described},
    }
    return json.dumps({"Records": [record]}, ensure_ascii=False, separators=(",", ":")).encode()
