"""Parser of notification messages."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from schemas.errors import InvalidEvent
from schemas.notifications.events import Dialect, Notification, ObjectCreated, SkippedEvent
from schemas.notifications.keys import decode_key
from schemas.notifications.metadata import plain_metadata
from schemas.notifications.shapes import EventBridgeEvent, Json, S3Record

WRAPPING_LIMIT: Final = 6
"""Limit of nested envelopes; the deepest real nesting (a batch of SQS messages with SNS inside) has four."""

EVENTS_LIMIT: Final = 10_000
"""Limit of events in one message; a message of 1 MiB cannot hold that many of the smallest real ones."""

NEW_AUDIO: Final = frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"})
EVENTBRIDGE_NAMES: Final = {"PutObject": "Put", "POST Object": "Post", "CopyObject": "Copy"}
TEST_EVENT: Final = "s3:TestEvent"
_DIALECTS: Final = {
    "minio:s3": Dialect.MINIO,
    "rustfs:s3": Dialect.RUSTFS,
    "ceph:s3": Dialect.CEPH,
    "aws:s3": Dialect.AWS,
}
ShapeT = TypeVar("ShapeT", S3Record, EventBridgeEvent)
_METADATA_IS_REPORTED: Final = frozenset({Dialect.MINIO, Dialect.RUSTFS})


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One event without its envelopes. ``named`` is the message's ``Key``, if it has this event only."""

    body: Json
    via: tuple[str, ...]
    named: str | None = None


def parse_notification(value: bytes | None) -> Notification:
    """Parse a message. Raises InvalidEvent when it is not a supported bucket notification."""
    created: list[ObjectCreated] = []
    skipped: list[SkippedEvent] = []
    for leaf in _leaves(value):
        event = _skip_folder(_interpret(leaf))
        if isinstance(event, SkippedEvent):
            skipped.append(event)
        else:
            created.append(event)
    return Notification(tuple(created), tuple(skipped))


def split_notification(value: bytes | None) -> tuple[tuple[ObjectCreated, bytes], ...]:
    """Split a message: return each new object with an equivalent message for it alone. Raises InvalidEvent."""
    parts = []
    for leaf in _leaves(value):
        event = _skip_folder(_interpret(leaf))
        if isinstance(event, ObjectCreated):
            alone = leaf.body if "detail" in leaf.body else {"Records": [leaf.body]}
            parts.append((event, json.dumps(alone, ensure_ascii=False, separators=(",", ":")).encode()))
    return tuple(parts)


def _leaves(value: bytes | None) -> list[_Leaf]:
    if value is None:
        raise InvalidEvent("the notification is a tombstone; expected a bucket notification as JSON")
    leaves: list[_Leaf] = []
    for leaf in _unwrap(_json(value), (), WRAPPING_LIMIT):
        leaves.append(leaf)
        if len(leaves) > EVENTS_LIMIT:
            raise InvalidEvent(f"the notification holds more than {EVENTS_LIMIT:,} events")
    return leaves


def _json(text: bytes | str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise InvalidEvent(f"the notification is not JSON: {error}") from error


def _unwrap(message: Any, via: tuple[str, ...], depth: int) -> Iterator[_Leaf]:
    if depth == 0:
        raise InvalidEvent(f"the notification has more than {WRAPPING_LIMIT} envelopes")
    if isinstance(message, list):
        for element in message:
            yield from _unwrap(element, via, depth - 1)
        return
    if not isinstance(message, dict):
        raise InvalidEvent("the notification is JSON but no object")
    inner = _wrapped_message(message)
    if inner is not None:
        bridge, text = inner
        yield from _unwrap(_json(text), (*via, bridge), depth - 1)
    elif "Records" in message or "Messages" in message:
        yield from _batch(message, via, depth)
    else:
        yield _Leaf(message, via)


def _wrapped_message(message: Json) -> tuple[str, str] | None:
    candidates = (
        ("sns", message.get("Message") if message.get("Type") == "Notification" else None),
        ("sns", message["Sns"].get("Message") if isinstance(message.get("Sns"), dict) else None),
        ("sqs", message.get("Body")),
        ("sqs", message.get("body")),
    )
    return next(((bridge, text) for bridge, text in candidates if isinstance(text, str)), None)


def _batch(message: Json, via: tuple[str, ...], depth: int) -> Iterator[_Leaf]:
    records = message.get("Records", message.get("Messages"))
    if not isinstance(records, list) or not records:
        raise InvalidEvent("the notification's Records is no list of events")
    named = message.get("Key") if len(records) == 1 and isinstance(message.get("Key"), str) else None
    for record in records:
        if isinstance(record, dict) and "s3" in record:
            yield _Leaf(record, via, named)
        else:
            yield from _unwrap(record, via, depth - 1)


def _interpret(leaf: _Leaf) -> ObjectCreated | SkippedEvent:
    body = leaf.body
    if body.get("Event") == TEST_EVENT:
        return SkippedEvent(TEST_EVENT, "the store tests its configuration")
    if body.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        return SkippedEvent(str(body["Type"]), "SNS reports a subscription")
    if "detail-type" in body:
        return _from_eventbridge(leaf)
    return _from_record(leaf)


def _from_record(leaf: _Leaf) -> ObjectCreated | SkippedEvent:
    name = str(leaf.body.get("eventName") or "").removeprefix("s3:")
    if name and not _is_new_audio(name):
        return SkippedEvent(name, "not an object's creation")
    record = _validate(S3Record, leaf.body)
    dialect = _DIALECTS.get(record.event_source, Dialect.OTHER)
    found, bucket = record.s3.object, record.s3.bucket.name
    size = found.size
    if size is None and dialect in _METADATA_IS_REPORTED:
        size = 0  # omitempty: these two omit the size of an empty object
    metadata = found.user_metadata
    if metadata is None and dialect in _METADATA_IS_REPORTED:
        metadata = {}
    return ObjectCreated(
        dialect=dialect,
        bucket=bucket,
        key=decode_key(found.key, dialect=dialect, bucket=bucket, named=leaf.named),
        version_id=found.version_id,
        etag=_unquote(found.etag),
        object_size_bytes=size,
        sequencer=found.sequencer,
        user_metadata=None if metadata is None else plain_metadata(metadata),
        event_time=record.event_time,
        event_name=name,
        via=leaf.via,
    )


def _from_eventbridge(leaf: _Leaf) -> ObjectCreated | SkippedEvent:
    detail_type = leaf.body["detail-type"]
    if detail_type != "Object Created":
        return SkippedEvent(str(detail_type)[:200], "not an object's creation")
    event = _validate(EventBridgeEvent, leaf.body)
    found, reason = event.detail.object, event.detail.reason
    return ObjectCreated(
        dialect=Dialect.EVENTBRIDGE,
        bucket=event.detail.bucket.name,
        key=found.key,
        version_id=found.version_id,
        etag=_unquote(found.etag),
        object_size_bytes=found.size,
        sequencer=found.sequencer,
        user_metadata=None,
        event_time=event.time,
        event_name=f"ObjectCreated:{EVENTBRIDGE_NAMES.get(reason, reason or 'Put')}",
        via=leaf.via,
    )


def _skip_folder(event: ObjectCreated | SkippedEvent) -> ObjectCreated | SkippedEvent:
    # Consoles create an empty object whose key ends in a slash for a folder.
    if isinstance(event, ObjectCreated) and event.key.endswith("/"):
        return SkippedEvent(event.event_name, "a folder's marker")
    return event


def _is_new_audio(name: str) -> bool:
    family, _, kind = name.partition(":")
    return family == "ObjectCreated" and kind in NEW_AUDIO


def _unquote(etag: str | None) -> str | None:
    return etag.strip('"') if etag else None


def _validate(kind: type[ShapeT], body: Json) -> ShapeT:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)[:5]
        sentences = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
        raise InvalidEvent(f"not a known bucket notification: {sentences}") from error
