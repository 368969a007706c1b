"""History of a record, as headers: attempts, where it was first read, when it may run again.

A record keeps its history through retry topics, dead letters and redrives, and with it the coordinates that own
its job. Kascribe's headers are ``kascribe-*``, in decimal digits. In addition there are the three of Spring for
Apache Kafka's retry topics (``RetryTopicHeaders``): a 4-byte big-endian int, and two BigIntegers of epoch
milliseconds.
"""

from dataclasses import dataclass
from typing import Final

from schemas.kafka.records import Coordinates, Headers, Record
from schemas.kafka.topics import is_retry_or_dead_letter_topic

ATTEMPT: Final = "kascribe-attempt"
DUE_MS: Final = "kascribe-due-ms"
ORIGIN_TOPIC: Final = "kascribe-origin-topic"
ORIGIN_PARTITION: Final = "kascribe-origin-partition"
ORIGIN_OFFSET: Final = "kascribe-origin-offset"
FIRST_SEEN_MS: Final = "kascribe-first-seen-ms"
SPRING_ATTEMPTS: Final = "retry_topic-attempts"
SPRING_BACKOFF_TIMESTAMP: Final = "retry_topic-backoff-timestamp"
SPRING_ORIGINAL_TIMESTAMP: Final = "retry_topic-original-timestamp"

INT_LIMIT: Final = 2**31 - 1
"""Limit of partitions and attempts, which Kafka and Spring keep in an int."""

LONG_LIMIT: Final = 2**63 - 1
"""Limit of offsets and milliseconds, which are longs."""

LONG_BYTES: Final = 8
LONG_DIGITS: Final = 19

NAMES: Final = frozenset(
    {
        ATTEMPT,
        DUE_MS,
        ORIGIN_TOPIC,
        ORIGIN_PARTITION,
        ORIGIN_OFFSET,
        FIRST_SEEN_MS,
        SPRING_ATTEMPTS,
        SPRING_BACKOFF_TIMESTAMP,
        SPRING_ORIGINAL_TIMESTAMP,
    }
)


@dataclass(frozen=True, slots=True)
class History:
    """``attempt`` is the one to run, counted from 1; ``due_ms`` is None when it may run now."""

    attempt: int
    origin: Coordinates
    first_seen_ms: int
    due_ms: int | None = None


def read(record: Record) -> History:
    """Read the history of a record; that of a first attempt where headers are absent or invalid.

    On an input topic, which any producer writes to, these headers are ignored: they could select the record that
    owns a job's result, or use up its attempts. Every result can be encoded again, also as the ints and longs of
    the other dialects.
    """
    if not is_retry_or_dead_letter_topic(record.topic):
        return History(1, record.coordinates, record.timestamp_ms)
    return History(
        attempt=number(record, ATTEMPT, INT_LIMIT) or _big_endian(record, SPRING_ATTEMPTS, INT_LIMIT) or 1,
        origin=_origin(record) or record.coordinates,
        first_seen_ms=number(record, FIRST_SEEN_MS, LONG_LIMIT) or record.timestamp_ms,
        due_ms=due_at(record),
    )


def due_at(record: Record) -> int | None:
    """Return when a record may run, in milliseconds since the epoch; None when it may run at once."""
    return number(record, DUE_MS, LONG_LIMIT) or _big_endian(record, SPRING_BACKOFF_TIMESTAMP, LONG_LIMIT)


def write(history: History, headers: Headers) -> Headers:
    """Replace the history in ``headers``. All other headers keep their order and repetitions."""
    written: list[tuple[str, bytes | None]] = [
        (ATTEMPT, _digits(history.attempt)),
        (ORIGIN_TOPIC, history.origin.topic.encode()),
        (ORIGIN_PARTITION, _digits(history.origin.partition)),
        (ORIGIN_OFFSET, _digits(history.origin.offset)),
        (FIRST_SEEN_MS, _digits(history.first_seen_ms)),
        (SPRING_ATTEMPTS, history.attempt.to_bytes(4, "big", signed=True)),
        (SPRING_ORIGINAL_TIMESTAMP, big_integer(history.first_seen_ms)),
    ]
    if history.due_ms is not None:
        written += [
            (DUE_MS, _digits(history.due_ms)),
            (SPRING_BACKOFF_TIMESTAMP, big_integer(history.due_ms)),
        ]
    return (*strip(headers), *written)


def strip(headers: Headers) -> Headers:
    """Remove the headers of the history."""
    return tuple(header for header in headers if header[0] not in NAMES)


def big_integer(value: int) -> bytes:
    """Encode a number as Java's ``BigInteger.toByteArray``: big-endian two's complement, as short as possible."""
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


def number(record: Record, name: str, limit: int) -> int | None:
    """Parse a header in decimal digits; None where it is absent, not a number from 0, or larger than ``limit``."""
    value = record.header(name)
    found = int(value) if value and len(value) <= LONG_DIGITS and value.isdigit() else None
    return found if found is not None and found <= limit else None


def _origin(record: Record) -> Coordinates | None:
    topic = record.header(ORIGIN_TOPIC)
    partition = number(record, ORIGIN_PARTITION, INT_LIMIT)
    offset = number(record, ORIGIN_OFFSET, LONG_LIMIT)
    if not topic or partition is None or offset is None:
        return None
    return Coordinates(topic.decode("utf-8", "replace"), partition, offset)


def _digits(value: int) -> bytes:
    return str(value).encode()


def _big_endian(record: Record, name: str, limit: int) -> int | None:
    value = record.header(name)
    found = int.from_bytes(value, "big", signed=True) if value and len(value) <= LONG_BYTES else 0
    return found if 0 < found <= limit else None
