"""The schema of an event and the product take and refuse the same."""

import copy
import json
import random
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import jsonschema
import pytest

from kascribe.documents.contracts import REQUESTS, SENT, json_schemas
from kascribe.documents.event_examples import EXAMPLES
from kascribe.documents.json_schema import references
from schemas.errors import JobError
from schemas.events import AudioReference, CancellationEvent, Event
from schemas.kafka.records import Record
from schemas.kafka.trace import Trace
from schemas.kafka.wire import decode, encode
from schemas.object_addresses import ObjectAddress
from schemas.options import EnrichOptions, TranscribeOptions

Path = tuple[str | int, ...]
SENT_EVENTS: Final = [kind for kind in SENT if issubclass(kind, Event)]
FORMATS: Final = jsonschema.FormatChecker(formats=())
VALIDATORS: Final = {
    name: jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    for name, schema in json_schemas().items()
}
ABSENT: Final = object()
REPLACEMENTS: Final[tuple[Any, ...]] = (
    *(
        ABSENT,
        None,
        True,
        False,
        0,
        1,
        -1,
        5,
        7.5,
        11,
        1e300,
        "",
        " ",
        "x",
        "KO",
        "ko",
        "auto",
        "kr",
        "1",
        "5",
        "true",
    ),
    *([], {}, [None], ["x"], ["srt", "srt"], [1], {"a": "b"}, {"a": 1}, {"a": None}, "x" * 129, "x" * 1_001),
    *("x" * 513, "x" * 4_001, ["summary"] * 16, ["summary"] * 17, ["Summary"], "bulk", "BULK", "translate"),
    *("1.0", "1.7", "1", "2.0", "1.x", "1.0.0", "01.0", " 1.0", "1.", 1.0, "1.1234567890"),
    *(
        "s3://audio/call.wav",
        "s3://audio/",
        "s3://audio",
        "s3:///call.wav",
        "S3://audio/a",
        "http://a/b",
        "s3://a/ ",
    ),
    *("2026-11-22T09:00:00Z", "2026-11-22t09:00:00.123456789z", "2026-11-22T09:00:00+09:00", "2026-11-22"),
    *("2026-11-22T09:00:00", "2026-11-22 09:00:00Z", "2026-11-22T09:00Z", "20261122T090000Z", 1_763_802_000),
    *(1_763_802_000_000, 1_763_802_000.5, "1763802000", "2026-02-30T09:00:00Z", "2026-11-22T09:00:00+0900"),
    *("2026-11-22T24:01:00Z", "2026-11-22T09:00:00+25:00"),
)


@FORMATS.checks("date-time")
def is_date_time(value: object) -> bool:
    """RFC 3339, written down again."""
    if not isinstance(value, str):
        return True
    shape = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    try:
        return bool(re.fullmatch(shape, value)) and bool(datetime.fromisoformat(value.upper()))
    except ValueError:
        return False


def paths(node: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in an event."""
    if at:
        yield at
    fields = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in fields:
        yield from paths(value, (*at, name))


def changed(event: dict[str, Any], at: Path, value: Any) -> dict[str, Any]:
    """Return the event with another value in one place."""
    made = copy.deepcopy(event)
    node: Any = made
    for step in at[:-1]:
        node = node[step]
    if value is ABSENT:
        del node[at[-1]]
    else:
        node[at[-1]] = value
    return made


def schema_takes(kind: type[Event], event: Any) -> bool:
    """Whether a client that validates would send it."""
    return VALIDATORS[kind.__name__].is_valid(event)


def product_takes(kind: type[Event], event: Any) -> bool:
    """Whether a consumer understands it and would look for its audio."""
    try:
        read = decode(Record("t", 0, 0, None, json.dumps(event).encode()), kind)
        if isinstance(read, AudioReference):
            ObjectAddress.parse(read.uri)
    except JobError:
        return False
    return True


def sent_example(kind: type[Event]) -> dict[str, Any]:
    """Return an example as it travels, with all fields that are always there."""
    event = kind.model_validate(EXAMPLES[kind])
    value: dict[str, Any] = json.loads(encode(event, topic="t", key="k", trace=Trace.start()).value or b"")
    return value


def test_the_example_of_a_reference_has_every_field() -> None:
    """So every field is put wrong below."""
    example = EXAMPLES[AudioReference]
    assert example.keys() == AudioReference.model_fields.keys()
    assert example["options"].keys() == TranscribeOptions.model_fields.keys()
    assert example["enrich"].keys() == EnrichOptions.model_fields.keys()


@pytest.mark.parametrize("kind", REQUESTS)
def test_what_others_write_is_taken_by_both_or_by_neither(kind: type[Event]) -> None:
    """Every place of an event with every wrong and every odd value, and places that only some events have."""
    for event in (EXAMPLES[kind], sent_example(kind)):
        assert schema_takes(kind, event)
        assert product_takes(kind, event)
        for at in paths(event):
            for value in (*REPLACEMENTS, 5.0):
                mutated = changed(event, at, value)
                assert product_takes(kind, mutated) == schema_takes(kind, mutated), (at, value)


@pytest.mark.parametrize("kind", REQUESTS)
def test_events_with_several_faults_are_taken_by_both_or_by_neither(kind: type[Event]) -> None:
    """Two thousand events with up to four changes each, the same ones in every run."""
    source = random.Random(20261126)
    taken = 0
    for _ in range(2_000):
        event = EXAMPLES[kind]
        for _ in range(source.randint(1, 4)):
            places = list(paths(event))
            event = changed(event, source.choice(places), source.choice(REPLACEMENTS)) if places else event
        assert product_takes(kind, event) == schema_takes(kind, event), event
        taken += schema_takes(kind, event)
    assert 100 < taken < 1_900


@pytest.mark.parametrize("kind", REQUESTS)
def test_unknown_fields_are_taken_by_both_and_unknown_options_by_neither(kind: type[Event]) -> None:
    """Only the option sets are closed, in events of the version that the schema describes."""
    event = EXAMPLES[kind]
    for at in [(), *(at for at in paths(event) if isinstance(_value(event, at), dict))]:
        mutated = changed(event, (*at, "crew"), "7")
        closed = at[:1] in [("options",), ("enrich",)] and kind is AudioReference
        assert product_takes(kind, mutated) == schema_takes(kind, mutated) != closed, at


@pytest.mark.parametrize("kind", SENT_EVENTS)
def test_what_the_product_sends_is_what_the_schema_says(kind: type[Event]) -> None:
    """The schema takes an event of ours, misses each field that is always there, and takes nothing unreadable."""
    event = sent_example(kind)
    assert schema_takes(kind, event)
    for at in paths(event):
        for value in REPLACEMENTS:
            if isinstance(value, float) and value.is_integer():
                continue  # an integer to JSON Schema, and nothing that we write
            mutated = changed(event, at, value)
            if schema_takes(kind, mutated):
                assert product_takes(kind, mutated), (at, value)
    fields = kind.model_fields
    optional = {name for name, field in fields.items() if not field.is_required() and field.default is None}
    assert set(json_schemas()[kind.__name__]["required"]) == fields.keys() - optional


def test_the_faults_that_clients_met_are_refused_by_both() -> None:
    """A later major version, another store's address, a language that there is not; times that Java writes."""
    reference, cancellation = EXAMPLES[AudioReference], EXAMPLES[CancellationEvent]
    for at, value in (
        (("schema_version",), "2.0"),
        (("uri",), "http://audio/call.wav"),
        (("options", "language"), "klingon"),
        (("occurred_at",), "2026-11-22T09:00:00"),
        (("occurred_at",), 1_763_802_000.123),
        (("options",), None),
    ):
        assert not schema_takes(AudioReference, changed(reference, at, value)), at
        assert not product_takes(AudioReference, changed(reference, at, value)), at
    assert not product_takes(CancellationEvent, {**cancellation, "occurred_at": 1_763_802_000_123})


def test_schemas_are_written_for_generators_of_types() -> None:
    """No anyOf with null, no title on a property, no default but a scalar, and references that stand alone."""
    for name, schema in json_schemas().items():
        for model in (schema, *schema.get("$defs", {}).values()):
            for field, described in model.get("properties", {}).items():
                assert "title" not in described, (name, field)
                assert {"type": "null"} not in described.get("anyOf", ()), (name, field)
                assert not isinstance(described.get("default"), dict | list), (name, field)
                assert described.keys() == {"$ref"} if "$ref" in described else True, (name, field)
        assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in references(schema))


def _value(event: Any, at: Path) -> Any:
    for step in at:
        event = event[step]
    return event
