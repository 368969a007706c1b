"""Events to records and back: UTF-8 JSON values, CloudEvents binary-mode headers, W3C trace context.

Sources: CloudEvents Kafka protocol binding 1.0.2 (headers ``ce_*`` and ``content-type``), W3C Trace Context.
"""

from typing import Final, TypeVar

from pydantic import ValidationError

from schemas.errors import InvalidEvent, InvalidOptions, PermanentError
from schemas.events import Event
from schemas.options import Lane
from schemas.records import Headers, OutgoingRecord, Record
from schemas.trace import Trace

CE_SOURCE: Final = "kascribe"
TRACEPARENT: Final = "traceparent"
LANE: Final = "kascribe-lane"
"""Beside the lane in the value, so that who waits is known before the value is read. Absent: bulk."""
_INTERACTIVE = Lane.INTERACTIVE.value.encode()
OPTION_FIELDS: Final = frozenset({"options", "enrich"})

E = TypeVar("E", bound=Event)


def encode(event: Event, *, topic: str, key: str, trace: Trace, source: str = CE_SOURCE) -> OutgoingRecord:
    """The record that carries ``event``. ``key`` decides the partition: one job, one key, one order."""
    lane: Lane = getattr(event, "lane", Lane.BULK)
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.event_id.encode()),
        ("ce_type", event.ce_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("content-type", b"application/json"),
        *([] if lane is Lane.BULK else [(LANE, lane.value.encode())]),
        (TRACEPARENT, trace.traceparent.encode()),
    )
    return OutgoingRecord(topic, key.encode(), event.model_dump_json(exclude_none=True).encode(), headers)


def decode(record: Record, kind: type[E]) -> E:
    """The event in a record.

    Raises InvalidEvent for what is not such an event, InvalidOptions when only its options are wrong.
    """
    if record.value is None:
        raise InvalidEvent(f"{record.coordinates} is a tombstone; expected {kind.__name__} as JSON")
    try:
        return kind.model_validate_json(record.value)
    except ValidationError as error:
        raise _translated(error, kind) from error


def lane_of(record: Record) -> Lane:
    """The lane in a record's headers; bulk where there is none that we know. Cheap: the value is not read."""
    return Lane.INTERACTIVE if record.header(LANE) == _INTERACTIVE else Lane.BULK


def trace_of(record: Record) -> Trace:
    """A new span of the record's trace, or of a new trace when the record has none."""
    header = record.header(TRACEPARENT)
    parent = Trace.parse(header.decode("ascii", "replace")) if header else None
    return parent.child() if parent else Trace.start()


def _translated(error: ValidationError, kind: type[Event]) -> PermanentError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    sentences = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'value'}: {p['msg']}" for p in problems[:5])
    only_options = all(problem["loc"][:1] and problem["loc"][0] in OPTION_FIELDS for problem in problems)
    error_type = InvalidOptions if only_options else InvalidEvent
    return error_type(f"not a valid {kind.__name__}: {sentences}")
