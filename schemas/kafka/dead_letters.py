"""Dead letters: records that could not be processed, with everything that tools and operators need to know.

Key, value and headers stay unchanged. Added are the headers of the two dialects that existing tools read, and
Kascribe's own:

- Kafka Connect (``DeadLetterQueueReporter``): ``__connect.errors.*``, UTF-8 text throughout.
- Spring for Apache Kafka (``KafkaHeaders.DLT_*``): ``kafka_dlt-*``, numbers as big-endian ints and longs.
- Kascribe: ``kascribe-reason``, ``kascribe-error-message``, and the history (see ``history``).

When a record fails again the new headers replace the old ones, so it does not grow.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from pydantic_core import from_json

from schemas.errors import Reason
from schemas.identity import job_id, record_key, reference_key
from schemas.kafka import history
from schemas.kafka.history import INT_LIMIT, LONG_BYTES, LONG_LIMIT, History
from schemas.kafka.records import Coordinates, Headers, OutgoingRecord, Record
from schemas.kafka.topics import Topics, dead_letter_topic

REASON: Final = "kascribe-reason"
ERROR_MESSAGE: Final = "kascribe-error-message"
FAILED_MS: Final = "kascribe-failed-ms"
STAGE: Final = "kascribe-stage"
VALUE_SIZE_BYTES: Final = "kascribe-value-size-bytes"
VALUE_SHA256: Final = "kascribe-value-sha256"
REDRIVEN_FROM: Final = "kascribe-redriven-from"
REDRIVEN_MS: Final = "kascribe-redriven-ms"
REDRIVES: Final = "kascribe-redrives"

CONNECT: Final = "__connect.errors."
SPRING: Final = "kafka_dlt-"
SPRING_DELIVERY_ATTEMPT: Final = "kafka_deliveryAttempt"

MESSAGE_CHARACTERS_LIMIT: Final = 1_000
STACK_TRACE_CHARACTERS_LIMIT: Final = 4_000
"""The end is kept, where Python puts the error message."""

INT_BYTES: Final = 4

_SMALL_HEADER_BYTES: Final = 1_024
_SMALL_HEADERS_LIMIT: Final = 64
_OURS: Final = frozenset({REASON, ERROR_MESSAGE, FAILED_MS, STAGE, VALUE_SIZE_BYTES, VALUE_SHA256})


@dataclass(frozen=True, slots=True)
class Cause:
    """Cause of a dead letter. ``exception`` and ``exception_cause`` are qualified names of classes."""

    reason: str
    message: str
    exception: str = ""
    exception_cause: str | None = None
    stack_trace: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where and when the record failed."""

    stage: str
    consumer_group: str
    failed_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parsed record of a dead-letter topic, of any of the three dialects; fields that no header gives are empty.

    ``record`` is the record in the dead-letter topic, ``origin`` the one that failed.
    """

    record: Record
    origin: Coordinates
    attempt: int
    reason: str
    message: str
    exception: str
    stack_trace: str
    stage: str
    failed_ms: int
    redrives: int
    job_id: str | None

    @property
    def lacks_value(self) -> bool:
        """Whether the value was too large to be kept: then it cannot be redriven, only its source can."""
        return self.record.value is None and self.record.header(VALUE_SHA256) is not None


@dataclass(frozen=True, slots=True)
class Selection:
    """Criteria for dead letters; None omits a criterion. Times are those of the failure."""

    reason: str | None = None
    job_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def includes(self, letter: DeadLetter) -> bool:
        """Return whether the letter meets all criteria; ``since_ms`` is inclusive, ``until_ms`` exclusive."""
        return (
            self.reason in (None, letter.reason)
            and self.job_id in (None, letter.job_id)
            and (self.since_ms is None or letter.failed_ms >= self.since_ms)
            and (self.until_ms is None or letter.failed_ms < self.until_ms)
        )


def write(record: Record, cause: Cause, site: Site, *, attempt: int) -> OutgoingRecord:
    """Make the dead letter of ``record``, which failed in its attempt numbered ``attempt``."""
    before = history.read(record)
    after = History(attempt, before.origin, before.first_seen_ms)
    message, stack_trace = _bounded(cause)
    added: Headers = (
        (REASON, cause.reason.encode()),
        (ERROR_MESSAGE, message),
        (FAILED_MS, str(site.failed_ms).encode()),
        (STAGE, site.stage.encode()),
        *_connect_headers(after, cause, site, message=message, stack_trace=stack_trace),
        *_spring_headers(after, cause, site, message=message, stack_trace=stack_trace),
    )
    headers = (*history.write(after, strip(record.headers)), *added)
    return OutgoingRecord(dead_letter_topic(record.topic), record.key, record.value, headers)


def strip(headers: Headers) -> Headers:
    """Remove the headers that dead-letter writers add."""
    return tuple(
        header
        for header in headers
        if header[0] not in _OURS
        and not header[0].startswith((CONNECT, SPRING))
        and header[0] != SPRING_DELIVERY_ATTEMPT
    )


def read(record: Record) -> DeadLetter:
    """Parse a record of a dead-letter topic. Never raises, whatever wrote the record."""
    prior = history.read(record)
    origin = _origin(record, prior)
    return DeadLetter(
        record=record,
        origin=origin,
        attempt=prior.attempt,
        reason=_text(record, REASON),
        message=_text(record, ERROR_MESSAGE, f"{CONNECT}exception.message", f"{SPRING}exception-message"),
        exception=_text(record, f"{SPRING}exception-fqcn", f"{CONNECT}exception.class.name"),
        stack_trace=_text(record, f"{SPRING}exception-stacktrace", f"{CONNECT}exception.stacktrace"),
        stage=_text(record, STAGE, f"{CONNECT}stage"),
        failed_ms=history.number(record, FAILED_MS, LONG_LIMIT) or record.timestamp_ms,
        redrives=history.number(record, REDRIVES, INT_LIMIT) or 0,
        job_id=_job_id(record.value, origin),
    )


def redrive(letter: DeadLetter, *, topic: str, now_ms: int) -> OutgoingRecord:
    """Make the record to publish to ``topic``: the original key, value and headers, with attempts from 1 again.

    It keeps the origin's coordinates, since these own the job's result; they are trusted on a retry topic only.
    """
    headers = strip(history.strip(letter.record.headers))
    marks: Headers = (
        (REDRIVEN_FROM, str(letter.record.coordinates).encode()),
        (REDRIVEN_MS, str(now_ms).encode()),
        (REDRIVES, str(letter.redrives + 1).encode()),
    )
    names = {name for name, _ in marks}
    kept = tuple(header for header in headers if header[0] not in names)
    first = History(1, letter.origin, history.read(letter.record).first_seen_ms)
    return OutgoingRecord(topic, letter.record.key, letter.record.value, (*history.write(first, kept), *marks))


def _connect_headers(prior: History, cause: Cause, site: Site, *, message: bytes, stack_trace: bytes) -> Headers:
    origin = prior.origin
    return (
        (f"{CONNECT}topic", origin.topic.encode()),
        (f"{CONNECT}partition", str(origin.partition).encode()),
        (f"{CONNECT}offset", str(origin.offset).encode()),
        (f"{CONNECT}connector.name", site.consumer_group.encode()),
        (f"{CONNECT}task.id", str(origin.partition).encode()),
        (f"{CONNECT}stage", site.stage.encode()),
        (f"{CONNECT}class.name", f"kascribe.{site.stage}".encode()),
        (f"{CONNECT}exception.class.name", cause.exception.encode()),
        (f"{CONNECT}exception.message", message),
        (f"{CONNECT}exception.stacktrace", stack_trace),
    )


def _spring_headers(prior: History, cause: Cause, site: Site, *, message: bytes, stack_trace: bytes) -> Headers:
    origin = prior.origin
    inner: Headers = (
        ((f"{SPRING}exception-cause-fqcn", cause.exception_cause.encode()),) if cause.exception_cause else ()
    )
    return (
        (f"{SPRING}original-topic", origin.topic.encode()),
        (f"{SPRING}original-partition", origin.partition.to_bytes(4, "big", signed=True)),
        (f"{SPRING}original-offset", origin.offset.to_bytes(8, "big", signed=True)),
        (f"{SPRING}original-timestamp", prior.first_seen_ms.to_bytes(8, "big", signed=True)),
        (f"{SPRING}original-timestamp-type", b"CreateTime"),
        (f"{SPRING}original-consumer-group", site.consumer_group.encode()),
        (f"{SPRING}exception-fqcn", cause.exception.encode()),
        *inner,
        (f"{SPRING}exception-message", message),
        (f"{SPRING}exception-stacktrace", stack_trace),
        (SPRING_DELIVERY_ATTEMPT, prior.attempt.to_bytes(4, "big", signed=True)),
    )


def undeliverable_letter(record: OutgoingRecord, *, message: str, now_ms: int) -> OutgoingRecord:
    """Make the replacement of an output that the broker rejects permanently, such as for its size.

    Its topic is the dead-letter topic of the output's topic. It has the size and digest of the value instead of
    the value, and small headers only, so that it is not rejected for the same reason. The source of the output
    is not lost: a dead letter names its origin, an event its job.
    """
    value = record.value or b""
    kept = tuple(
        header for header in record.headers if len(header[0]) + len(header[1] or b"") <= _SMALL_HEADER_BYTES
    )[-_SMALL_HEADERS_LIMIT:]
    marks: Headers = (
        (REASON, Reason.OUTPUT_TOO_LARGE.encode()),
        (ERROR_MESSAGE, message[:MESSAGE_CHARACTERS_LIMIT].encode()),
        (FAILED_MS, str(now_ms).encode()),
        (VALUE_SIZE_BYTES, str(len(value)).encode()),
        (VALUE_SHA256, hashlib.sha256(value).hexdigest().encode()),
    )
    key = record.key if len(record.key or b"") <= _SMALL_HEADER_BYTES else None
    return OutgoingRecord(dead_letter_topic(record.topic), key, None, (*kept, *marks))


def _bounded(cause: Cause) -> tuple[bytes, bytes]:
    message = cause.message[:MESSAGE_CHARACTERS_LIMIT]
    stack_trace = cause.stack_trace[-STACK_TRACE_CHARACTERS_LIMIT:]
    return message.encode("utf-8", "replace"), stack_trace.encode("utf-8", "replace")


def _origin(record: Record, prior: History) -> Coordinates:
    """Return the origin by Kascribe's headers, else Connect's, else Spring's, else the dead letter itself."""
    if record.header(history.ORIGIN_TOPIC):
        return prior.origin
    topic = _text(record, f"{CONNECT}topic", f"{SPRING}original-topic")
    partition = history.number(record, f"{CONNECT}partition", INT_LIMIT)
    offset = history.number(record, f"{CONNECT}offset", LONG_LIMIT)
    if partition is None or offset is None:
        partition = _fixed(record, f"{SPRING}original-partition", INT_BYTES)
        offset = _fixed(record, f"{SPRING}original-offset", LONG_BYTES)
    if not topic or partition is None or offset is None:
        return record.coordinates
    return Coordinates(topic, partition, offset)


def _text(record: Record, *names: str) -> str:
    """Return the first of these headers that is present; empty when none is."""
    values = (record.header(name) for name in names)
    return next((value.decode("utf-8", "replace") for value in values if value), "")


def _fixed(record: Record, name: str, size_bytes: int) -> int | None:
    """Parse a big-endian number of exactly this size; None for other values and for negative numbers."""
    value = record.header(name)
    found = int.from_bytes(value, "big", signed=True) if value and len(value) == size_bytes else -1
    return found if found >= 0 else None


def _job_id(value: bytes | None, origin: Coordinates) -> str | None:
    """Return the job that the letter's FAILED event names; None for a notification, which needs its object."""
    named = _named_job(value)
    if named is None and not origin.topic.endswith(Topics().objects):
        return job_id(record_key(str(origin)))
    return named


def _named_job(value: bytes | None) -> str | None:
    try:
        event = from_json(value or b"")
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    named, key, event_id = event.get("job_id"), event.get("idempotency_key"), event.get("event_id")
    if isinstance(named, str):
        return named
    key = reference_key(event_id) if key is None and isinstance(event_id, str) else key
    return job_id(key) if isinstance(key, str) else None
