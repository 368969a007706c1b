"""Every header that Kascribe writes, for the contracts: type, encoding and meaning."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.errors import Reason
from schemas.events import Event
from schemas.kafka import dead_letters as letters
from schemas.kafka import history
from schemas.kafka.trace import PREVIOUS_SPAN, TRACEPARENT, TRACESTATE


class Encoding(StrEnum):
    """Encoding of a value as bytes."""

    TEXT = "UTF-8 text"
    DIGITS = "decimal digits in ASCII"
    INT = "4 bytes, big-endian, two's complement (Java's int)"
    LONG = "8 bytes, big-endian, two's complement (Java's long)"
    BIG_INTEGER = "big-endian two's complement, as few bytes as it takes (Java's BigInteger.toByteArray)"


@dataclass(frozen=True, slots=True)
class Header:
    """One header. ``permitted`` has all values of a closed set, else none; ``example`` is a value."""

    name: str
    encoding: Encoding
    meaning: str
    example: str | int
    permitted: tuple[str, ...] = ()
    required: bool = True

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the header, as a property of a message's headers."""
        described: dict[str, Any] = {"type": "integer" if isinstance(self.example, int) else "string"}
        if len(self.permitted) == 1:
            described["const"] = self.permitted[0]
        elif self.permitted:
            described["enum"] = list(self.permitted)
        return described | {
            "description": f"{self.meaning} Encoding: {self.encoding}.",
            "x-kafka-encoding": self.encoding.value,
            "examples": [self.example],
        }


_TRACEPARENT_EXAMPLE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_EXCEPTION: Final = "schemas.errors.AudioNotFound"
_MESSAGE: Final = "s3://audio/call.wav is not there"
_MOMENT: Final = 1_795_680_000_000
_TRACEBACK: Final = "Traceback (most recent call last): ..."


def of_event(kind: type[Event]) -> tuple[Header, ...]:
    """Return the headers of an event: CloudEvents in binary mode, and the trace."""
    return (
        Header("ce_specversion", Encoding.TEXT, "The version of CloudEvents.", "1.0", ("1.0",)),
        Header("ce_id", Encoding.TEXT, "The event's event_id.", "7c9e6679"),
        Header("ce_type", Encoding.TEXT, "Type of the event.", kind.ce_type, (kind.ce_type,)),
        Header("ce_source", Encoding.TEXT, "The publisher; Kascribe's is kascribe.", "kascribe"),
        Header("ce_time", Encoding.TEXT, "The event's occurred_at, RFC 3339.", "2026-11-22T09:00:00+00:00"),
        Header(
            "content-type", Encoding.TEXT, "Media type of the value.", "application/json", ("application/json",)
        ),
        *TRACING,
    )


TRACING: Final = (
    Header(TRACEPARENT, Encoding.TEXT, "W3C trace context; a job keeps its trace.", _TRACEPARENT_EXAMPLE),
    Header(TRACESTATE, Encoding.TEXT, "W3C's, from the record that began the job.", "vendor=a", required=False),
    Header("baggage", Encoding.TEXT, "W3C Baggage, likewise.", "case=17", required=False),
    Header(
        "ce_traceparent", Encoding.TEXT, "CloudEvents' tracing, likewise.", _TRACEPARENT_EXAMPLE, required=False
    ),
    Header("ce_tracestate", Encoding.TEXT, "CloudEvents' tracestate, likewise.", "vendor=a", required=False),
)

PREVIOUS: Final = Header(
    PREVIOUS_SPAN,
    Encoding.TEXT,
    "The span of the attempt before, if it is traced: the next one is linked to it.",
    _TRACEPARENT_EXAMPLE,
    required=False,
)
"""Of a record that was tried, in its retry topic and as a dead letter; a redriven record keeps it."""

HISTORY: Final = (
    Header(
        history.ATTEMPT,
        Encoding.DIGITS,
        "Number of the attempt to run next (retry) or of the last one (dead letter), from 1.",
        2,
    ),
    Header(history.ORIGIN_TOPIC, Encoding.TEXT, "Where the record was first read.", "audio.references"),
    Header(history.ORIGIN_PARTITION, Encoding.DIGITS, "Its partition there.", 3),
    Header(history.ORIGIN_OFFSET, Encoding.DIGITS, "Its offset there.", 1_204),
    Header(history.FIRST_SEEN_MS, Encoding.DIGITS, "When it was first read, milliseconds since 1970.", _MOMENT),
    Header(history.SPRING_ATTEMPTS, Encoding.INT, "The attempt, as Spring for Apache Kafka has it.", 2),
    Header(
        history.SPRING_ORIGINAL_TIMESTAMP,
        Encoding.BIG_INTEGER,
        "When it was first read, in Spring's form.",
        _MOMENT,
    ),
)

REDRIVEN: Final = (
    Header(
        letters.REDRIVEN_FROM,
        Encoding.TEXT,
        "Coordinates of the dead letter.",
        "audio.references.dlq[0]@7",
        required=False,
    ),
    Header(
        letters.REDRIVEN_MS,
        Encoding.DIGITS,
        "Time of the last redrive, milliseconds since 1970.",
        _MOMENT,
        required=False,
    ),
    Header(letters.REDRIVES, Encoding.DIGITS, "Number of redrives.", 1, required=False),
)
"""Of a dead letter redriven with `kascribe dlq redrive`, and of its later retries and dead letters."""

RETRY: Final = (
    *HISTORY,
    *REDRIVEN,
    TRACING[0],
    PREVIOUS,
    Header(
        history.DUE_MS, Encoding.DIGITS, "Time before which it is not processed, milliseconds since 1970.", _MOMENT
    ),
    Header(history.SPRING_BACKOFF_TIMESTAMP, Encoding.BIG_INTEGER, "The same, in Spring's form.", _MOMENT),
)
"""Added to the headers of the record that is retried."""

_OURS: Final = (
    Header(
        letters.REASON,
        Encoding.TEXT,
        "The reason, one of docs/reasons.md.",
        Reason.AUDIO_NOT_FOUND.value,
        tuple(reason.value for reason in Reason),
    ),
    Header(
        letters.ERROR_MESSAGE, Encoding.TEXT, "The error message for people; 1,000 characters at most.", _MESSAGE
    ),
    Header(letters.FAILED_MS, Encoding.DIGITS, "Time of the failure, milliseconds since 1970.", _MOMENT),
)

_CONNECT: Final = (
    Header(f"{letters.CONNECT}topic", Encoding.TEXT, "Kafka Connect's: the origin's topic.", "audio.references"),
    Header(f"{letters.CONNECT}partition", Encoding.DIGITS, "Kafka Connect's: its partition.", 3),
    Header(f"{letters.CONNECT}offset", Encoding.DIGITS, "Kafka Connect's: its offset.", 1_204),
    Header(f"{letters.CONNECT}connector.name", Encoding.TEXT, "The consumer group.", "kascribe.transcriber"),
    Header(f"{letters.CONNECT}task.id", Encoding.DIGITS, "The origin's partition.", 3),
    Header(f"{letters.CONNECT}stage", Encoding.TEXT, "The consumer in which it failed.", "transcriber"),
    Header(
        f"{letters.CONNECT}class.name",
        Encoding.TEXT,
        "The qualified name of that consumer.",
        "kascribe.transcriber",
    ),
    Header(f"{letters.CONNECT}exception.class.name", Encoding.TEXT, "The error's class.", _EXCEPTION),
    Header(f"{letters.CONNECT}exception.message", Encoding.TEXT, "As kascribe-error-message.", _MESSAGE),
    Header(
        f"{letters.CONNECT}exception.stacktrace",
        Encoding.TEXT,
        "The last 4,000 characters of the stack trace.",
        _TRACEBACK,
    ),
)

_SPRING: Final = (
    Header(f"{letters.SPRING}original-topic", Encoding.TEXT, "Spring's: the origin's topic.", "audio.references"),
    Header(f"{letters.SPRING}original-partition", Encoding.INT, "Spring's: its partition.", 3),
    Header(f"{letters.SPRING}original-offset", Encoding.LONG, "Spring's: its offset.", 1_204),
    Header(f"{letters.SPRING}original-timestamp", Encoding.LONG, "When it was first read.", _MOMENT),
    Header(
        f"{letters.SPRING}original-timestamp-type",
        Encoding.TEXT,
        "Always CreateTime.",
        "CreateTime",
        ("CreateTime",),
    ),
    Header(
        f"{letters.SPRING}original-consumer-group", Encoding.TEXT, "The consumer group.", "kascribe.transcriber"
    ),
    Header(f"{letters.SPRING}exception-fqcn", Encoding.TEXT, "The error's class.", _EXCEPTION),
    Header(
        f"{letters.SPRING}exception-cause-fqcn", Encoding.TEXT, "Its cause's class.", _EXCEPTION, required=False
    ),
    Header(f"{letters.SPRING}exception-message", Encoding.TEXT, "As kascribe-error-message.", _MESSAGE),
    Header(
        f"{letters.SPRING}exception-stacktrace",
        Encoding.TEXT,
        "The last 4,000 characters of the stack trace.",
        _TRACEBACK,
    ),
    Header(letters.SPRING_DELIVERY_ATTEMPT, Encoding.INT, "The last attempt, from 1.", 4),
)

DEAD_LETTER: Final = (
    *_OURS,
    Header(letters.STAGE, Encoding.TEXT, "The consumer in which it failed.", "transcriber"),
    *HISTORY,
    PREVIOUS,
    *REDRIVEN,
    TRACING[0],
    *_CONNECT,
    *_SPRING,
)
"""Added to the headers of the record that failed."""

OVERSIZE_LETTER: Final = (
    *_OURS,
    Header(letters.VALUE_SIZE_BYTES, Encoding.DIGITS, "Bytes of the omitted value.", 2_097_152),
    Header(letters.VALUE_SHA256, Encoding.TEXT, "The digest of that value, in hexadecimal.", "9f86d081..."),
)
"""Added to the small headers of an output that the broker rejected for its size; it has no value."""


def schema_of(headers: Iterable[Header]) -> dict[str, Any]:
    """Return the headers of one message as a JSON Schema, which permits further ones."""
    found = tuple(headers)
    return {
        "type": "object",
        "properties": {header.name: header.schema() for header in found},
        "required": [header.name for header in found if header.required],
    }


def example_of(headers: Iterable[Header]) -> dict[str, str | int]:
    """Return an example of each header."""
    return {header.name: header.example for header in headers}
