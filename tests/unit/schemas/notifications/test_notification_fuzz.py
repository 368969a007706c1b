"""Broken notifications and events, by the hundred thousand."""

import json
import random
from typing import Any

from kascribe.documents.event_examples import EXAMPLES
from schemas.errors import JobError
from schemas.events import AudioReference, Event
from schemas.identity import job_id, record_key
from schemas.kafka import dead_letters, wire
from schemas.kafka.records import Headers, Record
from schemas.kafka.trace import TRACEPARENT
from schemas.notifications import (
    parse_notification,
    requested_options,
    to_reference,
)
from tests.support.notification_fixtures import FIXTURES, NOW

NOTIFICATIONS = 60_000
EVENTS = 40_000
HEADERS: Headers = (
    (TRACEPARENT, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    (dead_letters.REASON, b"invalid_event"),
    (dead_letters.FAILED_MS, b"1763800000000"),
    (dead_letters.REDRIVES, b"1"),
    (f"{dead_letters.CONNECT}topic", b"audio.references"),
    (f"{dead_letters.SPRING}original-partition", b"\x00\x00\x00\x03"),
    (f"{dead_letters.SPRING}original-offset", b"\x00\x00\x00\x00\x00\x00\x00\x2a"),
)


def test_tens_of_thousands_of_broken_notifications_raise_nothing_but_job_errors() -> None:
    """Mutated fixtures and random JSON end in an answer or a JobError."""
    source = random.Random(20261122)
    fixtures = [path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))]
    parsed = [json.loads(value) for value in fixtures]
    for number in range(NOTIFICATIONS):
        kind = number % 4
        if kind == 0:
            value = _mutated_bytes(source, source.choice(fixtures))
        elif kind == 1:
            value = json.dumps(_random_json(source, 4)).encode()
        else:
            value = json.dumps(_mutated_json(source, source.choice(parsed))).encode()
        _read_notification(value, as_reference=number % 5 == 0)


def test_tens_of_thousands_of_broken_events_raise_nothing_but_job_errors() -> None:
    """Mutated events of every kind are understood or refused, and any of them can be a dead letter.

    A good part is understood, so that what comes after the first check is reached as well.
    """
    source = random.Random(20261122)
    kinds = list(EXAMPLES)
    understood = dict.fromkeys(kinds, 0)
    for number in range(EVENTS):
        kind = kinds[number % len(kinds)]
        mutated = _mutated_event(source, EXAMPLES[kind], how=number // len(kinds) % 3)
        understood[kind] += _read_event(mutated, kind, _mutated_headers(source))
    assert min(understood.values()) > EVENTS / len(kinds) / 5


def test_what_no_parser_bears_can_be_a_dead_letter() -> None:
    """Nesting without end, numbers without end, and text that is no text: the job is that of the coordinates."""
    hostile = (
        b"[" * 100_000,
        b'{"job_id":' * 50_000,
        b'{"job_id":' + b"1" * 5_000 + b"}",
        b'{"job_id":"\\ud800"}',
    )
    for value in (*hostile, b"\xff\xfe\x00", b"", None):
        record = Record("audio.references.dlq", 0, 0, None, value, HEADERS)
        letter = dead_letters.read(record)
        assert letter.job_id == job_id(record_key(str(letter.origin)))


def _read_event(value: bytes, kind: type[Event], headers: Headers) -> bool:
    record = Record("audio.references", 0, 0, None, value, headers)
    letter = dead_letters.read(record)
    (letter.job_id or "").encode()
    assert wire.trace_of(record).traceparent
    try:
        event = wire.decode(record, kind)
    except JobError as error:
        error.message.encode()
        return False
    wire.encode(event, topic="audio.references", key="key", trace=wire.trace_of(record))
    return True


def _mutated_event(source: random.Random, example: dict[str, Any], *, how: int) -> bytes:
    if how == 0:
        return _mutated_bytes(source, json.dumps(example).encode())
    if how == 1:
        return json.dumps(_mutated_json(source, example)).encode()
    field = source.choice(list(example))
    return json.dumps({**example, field: _mutated_json(source, example[field])}).encode()


def _mutated_headers(source: random.Random) -> Headers:
    return tuple(
        (name, _mutated_bytes(source, value) if value and source.random() < 0.2 else value)
        for name, value in HEADERS
    )


def _read_notification(value: bytes, *, as_reference: bool) -> None:
    try:
        if as_reference:
            wire.decode(Record("audio.references", 0, 0, None, value), AudioReference)
        for created in parse_notification(value).created:
            to_reference(created, requested_options(created.user_metadata or {}), now=NOW)
            created.uri.encode()
    except JobError:
        pass


def _mutated_bytes(source: random.Random, value: bytes) -> bytes:
    mutable = bytearray(value)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(mutable))
        match source.randrange(3):
            case 0:
                mutable[place] = source.randrange(256)
            case 1:
                del mutable[place : place + source.randint(1, 40)]
            case _:
                mutable[place:place] = source.choice([b"\\ud800", b"%FF", b'"', b"{", b"[[", b"null", b"\x00"])
        if not mutable:
            break
    return bytes(mutable)


def _mutated_json(source: random.Random, value: Any) -> Any:
    if source.random() < 0.04:
        return _random_json(source, 2)
    if isinstance(value, dict):
        return {k: _mutated_json(source, v) for k, v in value.items() if source.random() > 0.02}
    if isinstance(value, list):
        return [_mutated_json(source, v) for v in value] * source.choice([1, 1, 1, 1, 2, 0])
    return value


def _random_json(source: random.Random, depth: int) -> Any:
    names = [
        "Records",
        "s3",
        "object",
        "bucket",
        "key",
        "name",
        "Message",
        "Type",
        "Body",
        "detail",
        "detail-type",
    ]
    match source.randrange(8 if depth else 6):
        case 0:
            return source.choice([None, True, False, 0, -1, 2**80, 1e308, float("nan"), float("inf")])
        case 1:
            return source.choice(["", "s3:ObjectCreated:Put", "Notification", "Object Created", "minio:s3"])
        case 2:
            return "".join(chr(source.randrange(1, 0xD7FF)) for _ in range(source.randrange(20)))
        case 3:
            return source.choice(["%ZZ", "%FF%FE", "+", "a%00b", "../../etc", "=?utf-8?b?", "s3://", "2026-13-45"])
        case 4 | 5:
            return source.choice(["{}", "[]", "null", '{"Records":[]}', '"', '{"Event":"s3:TestEvent"}'])
        case 6:
            return {source.choice(names): _random_json(source, depth - 1) for _ in range(source.randrange(5))}
        case _:
            return [_random_json(source, depth - 1) for _ in range(source.randrange(4))]
