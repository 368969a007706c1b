"""A listing and HEAD give an object the identity that its notification gives, in every dialect."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.reconciler.drops import Drop, StoredObject, drop_of
from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.notifications import parse_notification, requested_options, to_reference, valid_options
from schemas.notifications.metadata import PREFIX, plain_metadata
from schemas.notifications.references import OPTION_NAMES

STORED_AT = datetime(2026, 11, 27, 11, tzinfo=UTC)
ANNOUNCED_AT = STORED_AT + timedelta(milliseconds=173)

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda key: not key.endswith("/"))
versions = st.one_of(st.none(), st.text("0123456789abcdef-._", min_size=1, max_size=32))
etags = st.from_regex(r"[0-9a-f]{32}(-[1-9][0-9]?)?", fullmatch=True)
texts = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
written = st.one_of(
    texts,
    st.text(st.characters(codec="utf-8"), max_size=8).map(quote),
    st.text(st.characters(min_codepoint=0x3040, max_codepoint=0xD7A3), max_size=8),
    st.sampled_from(("ko", "auto", "translate", "true", "split", "srt,vtt", "summary", "interactive", "7")),
)
names = st.one_of(st.sampled_from(sorted(OPTION_NAMES)), st.sampled_from(("case", "mtime", "langauge", "webhook")))
metadata = st.dictionaries(names, written, max_size=5)
of_examples = settings(max_examples=60, deadline=None)  # the machine may be busy


@of_examples
@given(keys, versions, etags, metadata)
def test_minio_announces_what_a_listing_finds(
    key: str, version: str | None, etag: str, given_metadata: dict[str, str]
) -> None:
    """Its notifications carry the metadata as text, HEAD reports them as bytes of a header."""
    reported = {f"X-Amz-Meta-{name.title()}": value for name, value in given_metadata.items()}
    announced = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": f"audio/{key}",
        "Records": [
            _record("minio:s3", quote_plus(key), version or "", etag, {**reported, "content-type": "audio/wav"})
        ],
    }
    _same(announced, drop_of(_stored(key, version, etag), _as_head_reports(given_metadata)), given_metadata)


@of_examples
@given(keys, versions, etags, metadata)
def test_aws_announces_what_a_listing_finds(
    key: str, version: str | None, etag: str, given_metadata: dict[str, str]
) -> None:
    """Its notifications have no metadata: the transcriber asks HEAD for them, as the reconciler does."""
    record = _record("aws:s3", quote_plus(key), version, etag, None)
    _same(
        {"Records": [record]},
        drop_of(_stored(key, version, etag), _as_head_reports(given_metadata)),
        given_metadata,
    )


@of_examples
@given(keys, versions, etags, metadata)
def test_a_notification_in_place_of_the_lost_one_names_the_same_job(
    key: str, version: str | None, etag: str, given_metadata: dict[str, str]
) -> None:
    """Refused options go out as a notification: its reader finds the object, its metadata and its identity."""
    drop = drop_of(_stored(key, version, etag), _as_head_reports(given_metadata))
    record = drop.record(Topics(), Trace.start())
    assert (record.topic == Topics().objects) == drop.is_refused
    if drop.is_refused:
        (created,) = parse_notification(record.value).created
        reference = to_reference(created, valid_options(created.user_metadata or {}), now=ANNOUNCED_AT)
        assert reference == drop.reference


@of_examples
@given(keys, versions, etags, st.dictionaries(st.just("case"), texts, max_size=1))
def test_the_job_of_an_object_without_options_is_known_before_its_metadata(
    key: str, version: str | None, etag: str, given_metadata: dict[str, str]
) -> None:
    """So that most objects of a bucket need no request of their own."""
    found = _stored(key, version, etag)
    assert found.default_job_id == drop_of(found, given_metadata).job_id


def _same(announced: object, drop: Drop, given_metadata: dict[str, str]) -> None:
    (created,) = parse_notification(json.dumps(announced, ensure_ascii=False).encode()).created
    # The parser's caller fills in what the dialect leaves out, from the same HEAD.
    plain = created.user_metadata
    if plain is None:
        plain = plain_metadata({PREFIX + name: value for name, value in drop.reported_metadata.items()})
    try:
        requested, is_refused = requested_options(plain), False
    except InvalidOptions:
        requested, is_refused = valid_options(plain), True
    assert drop.is_refused == is_refused, given_metadata
    assert _without_time(drop.reference) == _without_time(to_reference(created, requested, now=ANNOUNCED_AT))


def _without_time(reference: AudioReference) -> AudioReference:
    return reference.model_copy(update={"occurred_at": STORED_AT})


def _stored(key: str, version: str | None, etag: str) -> StoredObject:
    return StoredObject("audio", key, version, etag, 400, STORED_AT)


def _as_head_reports(given_metadata: dict[str, str]) -> dict[str, str]:
    """Return metadata as boto3 gives them: HTTP's headers are Latin-1, trimmed."""
    return {name: value.encode().decode("latin-1").strip(" \t") for name, value in given_metadata.items()}


def _record(
    source: str, key: str, version: str | None, etag: str, user_metadata: dict[str, str] | None
) -> dict[str, object]:
    described: dict[str, object] = {"key": key, "size": 400, "eTag": etag}
    if version is not None:
        described["versionId"] = version
    if user_metadata is not None:
        described["userMetadata"] = user_metadata
    return {
        "eventSource": source,
        "eventTime": ANNOUNCED_AT.isoformat(),
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "audio"}, "object": described},
    }
