"""The lane is one truth: what a record's value says, read the same way by admission and by the stages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.events import AudioReference
from schemas.kafka.lanes import lane_of
from schemas.kafka.records import Headers, Record
from schemas.kafka.trace import Trace
from schemas.kafka.wire import decode, encode
from schemas.notifications import parse_notification, requested_options, to_reference
from schemas.options import Lane

WHEN = datetime(2026, 11, 22, tzinfo=UTC)


def record(value: bytes | None, headers: Headers = ()) -> Record:
    """As it was received."""
    return Record("t", 0, 0, None, value, headers)


def dropped(metadata: dict[str, str], *, source: str = "minio:s3") -> bytes:
    """Return a store's notification of one object."""
    s3 = {"bucket": {"name": "b"}, "object": {"key": "a.wav", "eTag": "e", "userMetadata": metadata}}
    return json.dumps(
        {"Records": [{"eventSource": source, "eventName": "s3:ObjectCreated:Put", "s3": s3}]}
    ).encode()


@pytest.mark.parametrize("lane", list(Lane))
def test_admission_and_engine_see_the_lane_that_a_producer_gave(lane: Lane) -> None:
    """What our producers write is read back as it was meant, by both."""
    event = AudioReference(event_id="e", occurred_at=WHEN, uri="s3://a/b", lane=lane)
    sent = encode(event, topic="t", key="k", trace=Trace.start())
    received = record(sent.value, sent.headers)
    assert lane_of(received) is decode(received, AudioReference).lane is lane


@pytest.mark.parametrize("header", [b"interactive", b"bulk"])
@pytest.mark.parametrize("lane", list(Lane))
def test_no_header_says_otherwise(lane: Lane, header: bytes) -> None:
    """An older producer's header and a foreign one are as good as none: there is no second switch."""
    event = AudioReference(event_id="e", occurred_at=WHEN, uri="s3://a/b", lane=lane)
    sent = encode(event, topic="t", key="k", trace=Trace.start())
    assert not [name for name, _ in sent.headers if "lane" in name]
    assert lane_of(record(sent.value, (("kascribe-lane", header),))) is lane


@pytest.mark.parametrize("value", ["interactive", "Interactive", "INTERACTIVE", " interActive "])
def test_an_objects_metadata_names_the_lane_for_admission_and_engine(value: str) -> None:
    """``x-amz-meta-lane`` reaches the reference that stands for the object, however it is written."""
    notification = dropped({"X-Amz-Meta-Lane": value})
    (created,) = parse_notification(notification).created
    reference = to_reference(created, requested_options(created.user_metadata or {}), now=WHEN)
    assert lane_of(record(notification)) is reference.lane is Lane.INTERACTIVE


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"interactive",
        b'[1, "interactive"]',
        b'{"lane": "bulk", "metadata": {"lane": "interactive"}}',
        b'{"lane": "Interactive"}',
        b'{"lane": ["interactive"]}',
        b'{"uri": "s3://a/interactive.wav"}',
        b"[" * 10_000 + b"interactive",
        dropped({"X-Amz-Meta-Name": "interactive"}),
        dropped({"X-Amz-Meta-Lane": "interactive!"}),
    ],
)
def test_everything_else_is_bulk(value: bytes | None) -> None:
    """Also what merely mentions the word, and what cannot be read."""
    assert lane_of(record(value)) is Lane.BULK


def test_a_lane_without_object_metadata_is_known_once_the_object_is_looked_up() -> None:
    """A store that does not report metadata cannot tell admission; the reference is interactive all the same."""
    bare: dict[str, Any] = json.loads(dropped({}, source="aws:s3"))
    del bare["Records"][0]["s3"]["object"]["userMetadata"]
    notification = json.dumps(bare).encode()
    (created,) = parse_notification(notification).created
    assert created.user_metadata is None
    reference = to_reference(created, requested_options({"lane": "interactive"}), now=WHEN)
    assert (lane_of(record(notification)), reference.lane) == (Lane.BULK, Lane.INTERACTIVE)
