"""Broken notifications and events, by the hundred thousand."""

import json
import random
import time
from typing import Any

from schemas import wire
from schemas.errors import JobError
from schemas.events import AudioReference
from schemas.notifications import (
    parse_notification,
    requested_options,
    to_reference,
)
from schemas.records import Record
from tests.notification_fixtures import FIXTURES, NOW


def test_a_hundred_thousand_broken_messages_raise_nothing_but_job_errors() -> None:
    """Mutated fixtures and random JSON end in an answer or a JobError, and quickly."""
    source = random.Random(20261122)
    fixtures = [path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))]
    parsed = [json.loads(value) for value in fixtures]
    started = time.perf_counter()
    for number in range(100_000):
        kind = number % 4
        if kind == 0:
            value = _mutated_bytes(source, source.choice(fixtures))
        elif kind == 1:
            value = json.dumps(_random_json(source, 4)).encode()
        else:
            value = json.dumps(_mutated_json(source, source.choice(parsed))).encode()
        _read(value, as_reference=number % 5 == 0)
    assert time.perf_counter() - started < 60


def _read(value: bytes, *, as_reference: bool) -> None:
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
