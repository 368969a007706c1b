"""What the bytes of each dialect mean."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import InvalidEvent
from schemas.notifications import (
    Dialect,
    ObjectCreated,
    parse_notification,
    requested_options,
    split_notification,
)
from schemas.options import ExportFormat
from tests.support.notification_fixtures import AWS_KEY, fixture, only


def test_minio_is_read_with_its_options() -> None:
    """Every field of a real MinIO notification arrives, the key decoded once, the metadata made plain."""
    created = only("minio")
    assert created == ObjectCreated(
        dialect=Dialect.MINIO,
        bucket="audio",
        key="회의 녹음/a+b.wav",
        version_id="66a2d511-7c1f-4b63-9a3e-0d8d6a1f2b3c",
        etag="6a8f0bdc1c4b7d9e2f30415263748596",
        object_size_bytes=400,
        sequencer="18EA6C9B08F7A14F",
        user_metadata={
            "language": "ko",
            "word-timestamps": "true",
            "exports": "srt, vtt",
            "enrich": "summary",
            "instruction": "세 줄로",
            "case-number": "17",
        },
        event_time=datetime(2026, 11, 22, 17, 0, 14, 588000, tzinfo=UTC),
        event_name="ObjectCreated:Put",
    )
    requested = requested_options(created.user_metadata or {})
    assert requested.options.language == "ko"
    assert requested.options.word_timestamps
    assert requested.options.exports == (ExportFormat.SRT, ExportFormat.VTT)
    assert requested.enrich is not None
    assert (requested.enrich.profiles, requested.enrich.instruction) == (("summary",), "세 줄로")
    assert requested.metadata == {"case-number": "17"}


def test_an_empty_object_of_minio_has_size_zero() -> None:
    """MinIO leaves the size of an empty object out; that is zero bytes, not unknown."""
    assert only("minio_empty_object").object_size_bytes == 0


@pytest.mark.parametrize(
    ("name", "dialect", "key", "via"),
    [
        ("rustfs", Dialect.RUSTFS, "long talk.flac", ()),
        ("ceph", Dialect.CEPH, "회의 녹음/a+b 100%.wav", ()),
        ("aws", Dialect.AWS, AWS_KEY, ()),
        ("aws_sns", Dialect.AWS, AWS_KEY, ("sns",)),
        ("aws_sqs", Dialect.AWS, AWS_KEY, ("sqs",)),
        ("aws_sns_in_sqs", Dialect.AWS, AWS_KEY, ("sqs", "sns")),
        ("aws_eventbridge", Dialect.EVENTBRIDGE, "calls/my call (+1) 100%25.wav", ()),
        ("aws_eventbridge_in_sqs", Dialect.EVENTBRIDGE, "calls/my call (+1) 100%25.wav", ("sqs",)),
    ],
)
def test_each_dialect_gives_the_objects_own_key(
    name: str, dialect: Dialect, key: str, via: tuple[str, ...]
) -> None:
    """The key is decoded exactly once, by the rules of its dialect, through whatever envelopes."""
    created = only(name)
    assert (created.dialect, created.bucket, created.key, created.via) == (dialect, "audio", key, via)
    assert created.etag is not None
    assert created.event_time is not None


def test_metadata_is_unknown_where_the_dialect_cannot_carry_it() -> None:
    """AWS does not say what metadata an object has; None makes the reader ask the object."""
    assert only("aws").user_metadata is None
    assert only("aws_eventbridge").user_metadata is None
    assert only("ceph").user_metadata == {"language": "en"}
    assert only("minio_empty_object").user_metadata == {}


def test_sizes_and_versions_are_normalised() -> None:
    """A size as text, an empty version id and a null one are what they mean."""
    assert (only("ceph").object_size_bytes, only("ceph").version_id) == (1024, None)
    assert (only("rustfs").object_size_bytes, only("rustfs").version_id) == (73_400_320, None)
    assert only("aws_eventbridge").version_id == "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"


@pytest.mark.parametrize("name", ["minio_tagging", "minio_removed", "aws_test_event"])
def test_what_is_no_new_audio_is_skipped_with_a_reason(name: str) -> None:
    """Tagging, removal and the store's test event complete without work and say why."""
    notification = parse_notification(fixture(name))
    assert notification.created == ()
    assert notification.skipped[0].why


@pytest.mark.parametrize(
    "event_name",
    [
        "s3:ObjectCreated:PutRetention",
        "s3:ObjectCreated:PutLegalHold",
        "s3:ObjectCreated:DeleteTagging",
        "s3:ObjectAccessed:Get",
        "s3:Replication:OperationCompletedReplication",
        "ObjectRestore:Completed",
        "LifecycleExpiration:Delete",
        "ObjectCreated:*",
    ],
)
def test_only_four_event_names_mean_new_audio(event_name: str) -> None:
    """A name outside Put, Post, Copy and CompleteMultipartUpload never starts a job."""
    message = json.loads(fixture("minio"))
    message["Records"][0]["eventName"] = event_name
    notification = parse_notification(json.dumps(message).encode())
    assert (len(notification.created), len(notification.skipped)) == (0, 1)


def test_several_records_in_one_message_are_all_seen() -> None:
    """Order is kept; what is no new audio is set aside; a batch of envelopes counts as well."""
    notification = parse_notification(fixture("aws_several_records"))
    assert [created.key for created in notification.created] == ["a.wav", "b c.wav", "d.wav"]
    assert [skipped.event_name for skipped in notification.skipped] == ["ObjectRemoved:Delete"]
    assert [created.via for created in parse_notification(fixture("aws_sqs_batch")).created] == [
        ("sqs",),
        ("sqs", "sns"),
    ]


@pytest.mark.parametrize("name", ["aws_several_records", "aws_sqs_batch", "aws_eventbridge", "ceph"])
def test_a_split_message_means_the_same(name: str) -> None:
    """Each part of a split notification parses to exactly the object that it stands for."""
    parts = split_notification(fixture(name))
    assert [created for created, _ in parts] == list(parse_notification(fixture(name)).created)
    for created, alone in parts:
        assert parse_notification(alone).created == (dataclasses.replace(created, via=()),)


@pytest.mark.parametrize(
    ("key", "named", "expected"),
    [
        ("a%2Bb+c.wav", "audio/a+b c.wav", "a+b c.wav"),
        ("a+b.wav", "audio/a+b.wav", "a+b.wav"),
        ("100%25.wav", "audio/100%.wav", "100%.wav"),
        ("a%2520b.wav", "audio/a%20b.wav", "a%20b.wav"),
        ("long+talk.wav", "audio/long%20talk.wav", "long talk.wav"),
        ("a%20b.wav", "audio/a%20b.wav", "a b.wav"),
        ("50% a+b.wav", "audio/50% a+b.wav", "50% a+b.wav"),
        ("audio/a+b.wav", "audio/audio/a+b.wav", "audio/a+b.wav"),
    ],
)
def test_the_key_is_cross_checked_with_the_one_at_the_top(key: str, named: str, expected: str) -> None:
    """MinIO's unencoded Key settles what the record's encoded key means."""
    message = json.loads(fixture("minio"))
    message["Key"] = named
    message["Records"][0]["s3"]["object"]["key"] = key
    (created,) = parse_notification(json.dumps(message).encode()).created
    assert created.key == expected


def test_a_key_at_the_top_says_nothing_about_several_records() -> None:
    """It can be the key of one of them alone; and what is no text names nothing."""
    message = json.loads(fixture("minio"))
    record = message["Records"][0]
    other = json.loads(json.dumps(record))
    record["s3"]["object"]["key"], other["s3"]["object"]["key"] = "a+b.wav", "c+d.wav"
    message.update(Key="audio/a+b.wav", Records=[record, other])
    created = parse_notification(json.dumps(message).encode()).created
    assert [one.key for one in created] == ["a b.wav", "c d.wav"]
    message.update(Key=7, Records=[record])
    assert parse_notification(json.dumps(message).encode()).created[0].key == "a b.wav"


def test_two_different_keys_in_one_notification_are_refused() -> None:
    """A message that names two objects is not guessed about."""
    message = json.loads(fixture("minio"))
    message["Key"] = "audio/other.wav"
    with pytest.raises(InvalidEvent, match="two objects"):
        parse_notification(json.dumps(message).encode())


def test_ceph_keys_may_be_encoded_or_not() -> None:
    """Ceph RGW's key is decoded only when it cannot be anything but encoded."""
    message = json.loads(fixture("ceph"))
    for written, expected in {
        "a+b.wav": "a+b.wav",
        "a%20b.wav": "a b.wav",
        "%ED%9A%8C%EC%9D%98+1.wav": "회의 1.wav",
        "50% off.wav": "50% off.wav",
        "회의%20.wav": "회의%20.wav",
    }.items():
        message["Records"][0]["s3"]["object"]["key"] = written
        (created,) = parse_notification(json.dumps(message).encode()).created
        assert created.key == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"Records":[]}',
        b'{"Records":{}}',
        b'{"Records":[{}]}',
        b'{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"a"},"object":{}}}]}',
        b'{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{},"object":{"key":"a"}}}]}',
        b'{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"a"},"object":{"key":"%FF"}}}]}',
        b'{"Type":"Notification","Message":"not json"}',
        b"[" * 100_000,
        b'{"Body":' * 50 + b"1" + b"}" * 50,
    ],
)
def test_what_is_no_notification_is_an_invalid_event(value: bytes | None) -> None:
    """Wrong JSON, wrong shapes, bytes that are no text and deep nesting get one error, and only that."""
    with pytest.raises(InvalidEvent):
        parse_notification(value)


def test_envelopes_in_envelopes_are_opened_to_a_limit() -> None:
    """Lists count as well: six are read, and a seventh is refused with the limit."""
    leaf: Any = json.loads(fixture("minio"))
    for _ in range(5):
        leaf = [leaf]
    assert len(parse_notification(json.dumps(leaf[0]).encode()).created) == 1
    with pytest.raises(InvalidEvent, match="more than 6 envelopes"):
        parse_notification(json.dumps([leaf]).encode())


def test_metadata_that_is_written_as_pairs_is_read_under_both_of_its_names() -> None:
    """Ceph's releases differ; a pair without a value has an empty one."""
    told = json.loads(fixture("ceph"))
    told["Records"][0]["s3"]["object"]["metadata"] = [
        {"key": "x-amz-meta-a", "val": "1"},
        {"key": "x-amz-meta-b", "value": "2"},
        {"key": "x-amz-meta-c"},
    ]
    (created,) = parse_notification(json.dumps(told).encode()).created
    assert created.user_metadata == {"a": "1", "b": "2", "c": ""}
