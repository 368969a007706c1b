"""Encoding of events as records: UTF-8 JSON values, CloudEvents binary-mode headers, W3C trace context.

Sources: CloudEvents Kafka protocol binding 1.0.2 (headers ``ce_*`` and ``content-type``), W3C Trace Context.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from schemas.errors import InvalidEvent, InvalidOptions, PermanentError
from schemas.events import Event
from schemas.kafka.records import Answered, Headers, OutgoingRecord, Record
from schemas.kafka.trace import PREVIOUS_SPAN, TRACEPARENT, Trace
from schemas.options import EnrichOptions, TranscribeOptions
from schemas.options.misspelling import NAME_CHARACTERS, misspellings
from schemas.options.refused import why_unknown
from schemas.options.types import VadParameters

CE_SOURCE: Final = "kascribe"
OPTION_SETS: Final[Mapping[str, type[BaseModel]]] = {"options": TranscribeOptions, "enrich": EnrichOptions}
"""Fields of an event with options: an unknown name in them would silently change the result."""

PROBLEMS_LIMIT: Final = 5
"""Limit of problems in one message."""

STRUCTURED: Final = (
    "this is a CloudEvent in structured mode; only binary mode is read: put what is under data into the record's "
    "value, and the attributes into headers (ce_id, ce_type, ...), or leave them out"
)

E = TypeVar("E", bound=Event)


def encode(
    event: Event,
    *,
    topic: str,
    key: str,
    trace: Trace,
    source: str = CE_SOURCE,
    answers: Answered | None = None,
) -> OutgoingRecord:
    """Encode ``event`` as a record. ``key`` decides the partition: one job, one key, one order."""
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.event_id.encode()),
        ("ce_type", event.ce_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("content-type", b"application/json"),
        *trace.headers,
    )
    return OutgoingRecord(topic, key.encode(), event.model_dump_json(exclude_none=True).encode(), headers, answers)


def decode(record: Record, kind: type[E]) -> E:
    """Decode the event in a record.

    Raises InvalidEvent for a record that is not such an event, InvalidOptions when only its options are invalid.
    An unknown option is invalid, unless the event is of a later minor version, which may have further options.
    """
    if record.value is None:
        raise InvalidEvent(f"{record.coordinates} is a tombstone; expected {kind.__name__} as JSON")
    try:
        event = kind.model_validate_json(record.value, strict=True)
    except ValidationError as error:
        if is_structured(record):
            raise InvalidEvent(STRUCTURED) from error
        raise _translate_error(error, kind) from error
    sets = {name: options for name, options in OPTION_SETS.items() if name in kind.model_fields}
    if sets and not event.is_later_version:
        _refuse_unknown_options(from_json(record.value), kind, sets)
    return event


def is_structured(record: Record) -> bool:
    """Return whether a record is a CloudEvent in structured mode, by its header or its value."""
    if (record.header("content-type") or b"").lower().startswith(b"application/cloudevents"):
        return True
    try:
        value = from_json(record.value or b"")
    except ValueError:
        return False
    return isinstance(value, dict) and {"specversion", "data"} <= value.keys()


def trace_of(record: Record) -> Trace:
    """Start a span of the record's trace, or of a new trace when the record has none."""
    return Trace.continue_from(record.header)


def with_trace(record: Record, trace: Trace) -> Record:
    """Add the ``traceparent`` of an attempt to the record, unless it has a valid one.

    A notification has none; this way the trace in the log lines leads to its retries and its dead letter, too.
    """
    header = record.header(TRACEPARENT)
    if header and Trace.parse(header.decode("ascii", "replace")):
        return record
    return replace(record, headers=(*record.headers, (TRACEPARENT, trace.traceparent.encode())))


def after_attempt(record: Record, trace: Trace) -> Record:
    """Name the span of the attempt that a record had, so that the next attempt links to it."""
    others = tuple(header for header in record.headers if header[0] != PREVIOUS_SPAN)
    return replace(record, headers=(*others, (PREVIOUS_SPAN, trace.traceparent.encode())))


def _refuse_unknown_options(
    fields: Mapping[str, Any], kind: type[Event], sets: Mapping[str, type[BaseModel]]
) -> None:
    """Raise InvalidOptions for unknown options, options outside ``options``, and misspelt fields.

    Other unknown fields of an event are permitted.
    """
    unknown = _unknown_options(fields, sets)
    if "options" in sets:
        unknown = chain(unknown, _misplaced_options(fields, kind))
    if sentences := tuple(islice(unknown, PROBLEMS_LIMIT)):
        raise InvalidOptions(f"not a valid {kind.__name__}: {'; '.join(sentences)}")


def _unknown_options(fields: Mapping[str, Any], sets: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    for name, options in sets.items():
        given = fields.get(name) or {}
        yield from _unknown_names(name, given, options)
        if options is TranscribeOptions:
            yield from _unknown_names(f"{name}.vad_parameters", given.get("vad_parameters"), VadParameters)


def _unknown_names(place: str, given: object, options: type[BaseModel]) -> Iterator[str]:
    for option in given if isinstance(given, dict) else ():
        if option not in options.model_fields:
            why = why_unknown(option, options.model_fields)
            yield f"{place}.{option[:NAME_CHARACTERS]} is not an option: {why}"


def _misplaced_options(fields: Mapping[str, Any], kind: type[Event]) -> Iterator[str]:
    unknown = [name for name in fields if name not in kind.model_fields]
    yield from (
        f"{name} is an option: it belongs inside options"
        for name in TranscribeOptions.model_fields
        if name in fields and name not in kind.model_fields
    )
    for name, meant in misspellings(unknown, kind.model_fields.keys() - fields.keys()):
        yield f"{name} is not a field: did you mean {meant}?"


def _translate_error(error: ValidationError, kind: type[Event]) -> PermanentError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    sentences = "; ".join(
        f"{'.'.join(map(str, p['loc'])) or 'value'}: {p['msg']}" for p in problems[:PROBLEMS_LIMIT]
    )
    only_options = all(problem["loc"][:1] and problem["loc"][0] in OPTION_SETS for problem in problems)
    error_type = InvalidOptions if only_options else InvalidEvent
    return error_type(f"not a valid {kind.__name__}: {sentences}")
