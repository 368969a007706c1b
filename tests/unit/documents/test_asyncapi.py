"""The AsyncAPI document describes every message, and every header as it is written."""

import json
from collections.abc import Iterable
from typing import Any

import jsonschema
import pytest

from consumers.runtime.retry import Retry, retried
from kascribe.documents.asyncapi import asyncapi
from kascribe.documents.channels import DEAD_LETTER, NOTIFICATION, OVERSIZE_LETTER, RETRIED
from kascribe.documents.contracts import EVENTS, REQUESTS, json_schemas
from kascribe.documents.event_examples import EXAMPLES
from schemas.errors import Reason
from schemas.events import Event
from schemas.kafka import dead_letters, history
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.headers import Encoding
from schemas.kafka.records import Headers, OutgoingRecord, Record
from schemas.kafka.topics import Topics, dead_letter_topic, topics_used_by
from schemas.kafka.trace import PREVIOUS_SPAN, Trace
from schemas.kafka.wire import encode, with_trace
from schemas.notifications import parse_notification

MOMENT = 1_795_680_000_123
DOCUMENT = asyncapi("1")
TRACE = Trace("0" * 31 + "1", "0" * 15 + "2", carried=(("tracestate", b"a=1"), ("baggage", b"b=2")))
RECORD = with_trace(Record("audio.references", 3, 7, b"k", b"{}", (("x-own", b"1"),), MOMENT), TRACE)
CAUSE = Cause("audio_not_found", "it is not there", "a.B", exception_cause="c.D", stack_trace="Traceback")
LETTER = dead_letters.write(RECORD, CAUSE, Site("transcriber", "kascribe.transcriber", MOMENT), attempt=4)


def described(message: str) -> dict[str, Any]:
    """Return the headers of a message, by name, as the document has them."""
    properties: dict[str, Any] = DOCUMENT["components"]["messages"][message]["headers"]["properties"]
    return properties


def value_of(written: bytes, encoding: str) -> str | int:
    """Read a header's value by the encoding that the document names."""
    match Encoding(encoding):
        case Encoding.TEXT:
            return written.decode()
        case Encoding.DIGITS:
            assert written.isdigit()
            return int(written)
        case Encoding.INT | Encoding.LONG as fixed:
            assert len(written) == (4 if fixed is Encoding.INT else 8)
            return int.from_bytes(written, "big", signed=True)
        case Encoding.BIG_INTEGER:
            assert len(written) == MOMENT.bit_length() // 8 + 1
            return int.from_bytes(written, "big", signed=True)


def read(headers: Headers, message: str) -> dict[str, str | int]:
    """All headers of ours, by what the document says of each; one that it does not name is an error."""
    known = described(message)
    own = {name: value for name, value in headers if name != "x-own"}
    assert own.keys() <= known.keys()
    return {name: value_of(value or b"", known[name]["x-kafka-encoding"]) for name, value in own.items()}


def letters() -> Iterable[tuple[str, OutgoingRecord]]:
    """Every record that is written with headers beside an event's, and its message."""
    retry = Retry("audio.references.retry.10s", MOMENT + 10_000, 2, Reason.AUDIO_NOT_FOUND)
    yield RETRIED, retried(RECORD, retry)
    yield DEAD_LETTER, LETTER
    found = dead_letters.read(Record("audio.references.dlq", 0, 1, LETTER.key, LETTER.value, LETTER.headers))
    again = dead_letters.redrive(found, topic="audio.references.retry.10s", now_ms=MOMENT)
    yield (
        DEAD_LETTER,
        dead_letters.write(
            Record("audio.references.retry.10s", 0, 2, again.key, again.value, again.headers),
            CAUSE,
            Site("transcriber", "kascribe.transcriber", MOMENT),
            attempt=4,
        ),
    )
    yield (
        OVERSIZE_LETTER,
        dead_letters.undeliverable_letter(
            OutgoingRecord("audio.progress", b"k", b"{}"), message="too large", now_ms=MOMENT
        ),
    )


@pytest.mark.parametrize(("message", "record"), list(letters()))
def test_every_header_of_a_retry_and_a_letter_is_described_as_it_is_written(
    message: str, record: OutgoingRecord
) -> None:
    """None is left out, all required ones are there, and each reads back by the encoding that is named."""
    schema = DOCUMENT["components"]["messages"][message]["headers"]
    jsonschema.validate(read(record.headers, message), schema)


def test_numbers_of_a_letter_read_back_by_their_encodings() -> None:
    """The same origin, attempt and time in all three dialects."""
    found = read(LETTER.headers, DEAD_LETTER)
    assert {found[name] for name in (history.ORIGIN_PARTITION, "__connect.errors.partition")} == {3}
    assert found["kafka_dlt-original-partition"] == 3
    assert (
        found[history.ORIGIN_OFFSET] == found["__connect.errors.offset"] == found["kafka_dlt-original-offset"] == 7
    )
    assert found[history.ATTEMPT] == found[history.SPRING_ATTEMPTS] == found["kafka_deliveryAttempt"] == 4
    assert found[history.FIRST_SEEN_MS] == found["kafka_dlt-original-timestamp"] == MOMENT
    assert found[history.SPRING_ORIGINAL_TIMESTAMP] == MOMENT


def test_the_last_letter_header_is_described_too() -> None:
    """What is described is written by somebody: nothing is promised in vain."""
    written = {message: set[str]() for message in (RETRIED, DEAD_LETTER, OVERSIZE_LETTER)}
    for message, record in letters():
        written[message] |= {name for name, _ in record.headers}
    redriven = {dead_letters.REDRIVEN_FROM, dead_letters.REDRIVEN_MS, dead_letters.REDRIVES, PREVIOUS_SPAN}
    for message, names in written.items():
        assert described(message).keys() - names <= redriven


@pytest.mark.parametrize("kind", EVENTS)
def test_an_events_headers_and_example_are_what_travels(kind: type[Event]) -> None:
    """ce_type is a constant, what we always send is required, and the example is valid."""
    message = DOCUMENT["components"]["messages"][kind.__name__]
    sent = encode(kind.model_validate(EXAMPLES[kind]), topic="t", key="k", trace=TRACE)
    headers = read(sent.headers, kind.__name__)
    jsonschema.validate(headers, message["headers"])
    assert message["headers"]["properties"]["ce_type"]["const"] == kind.ce_type
    always = {name for name, _ in sent.headers} - {name for name, _ in TRACE.carried}
    assert set(message["headers"].get("required", always)) == always
    assert ("required" in message["headers"]) is (kind not in REQUESTS)
    (example,) = message["examples"]
    jsonschema.validate(example["payload"], json_schemas()[kind.__name__])
    jsonschema.validate(example["headers"], message["headers"])


def test_every_message_has_a_title_and_an_example() -> None:
    """Pages that are made of the document show them."""
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["title"], name
        assert message["examples"], name


def test_the_example_of_a_notification_is_read_as_an_object() -> None:
    """It is what a store sends, not only what looks like it."""
    (example,) = DOCUMENT["components"]["messages"][NOTIFICATION]["examples"]
    (created,) = parse_notification(json.dumps(example["payload"]).encode()).created
    assert (created.bucket, created.key) == ("audio", "calls/call.wav")


def test_every_server_says_how_clients_authenticate() -> None:
    """A broker over TLS lists the schemes, each described; every channel is on every server."""
    servers = DOCUMENT["servers"]
    named = {each["$ref"].rsplit("/", 1)[-1] for each in servers["kafkaSecure"]["security"]}
    assert named == DOCUMENT["components"]["securitySchemes"].keys()
    assert "security" not in servers["kafka"]
    for channel in DOCUMENT["channels"].values():
        assert [each["$ref"] for each in channel["servers"]] == [f"#/servers/{name}" for name in servers]


def test_the_topics_that_are_created_are_those_that_are_described() -> None:
    """Also the dead-letter topics: one for cancellations would never hold anything."""
    created = set(topics_used_by(Topics(), (Topics().references,), (10,)))
    letter_topics = {topic for topic in created if topic.endswith(".dlq")}
    named = DOCUMENT["channels"]["deadLetters"]["parameters"]["topic"]["enum"]
    assert letter_topics == {dead_letter_topic(topic) for topic in named}
    assert "audio.cancellations.dlq" not in letter_topics
    assert "audio.progress.dlq" in letter_topics
