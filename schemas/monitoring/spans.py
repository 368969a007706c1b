"""Spans: timed steps of a trace, as they are handed over once they have ended. Names follow OpenTelemetry.

Attributes hold no transcript, no secret and no URL with a signature: addresses are bucket and key, errors their
reason or type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

AttributeValue = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, AttributeValue]

NO_ATTRIBUTES: Final[Attributes] = {}


class SpanKind(StrEnum):
    """OpenTelemetry's kinds: what is on the other side of the step."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A moment within a span, in nanoseconds since the epoch."""

    name: str
    at_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that this one follows, such as the attempt before."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A step that has ended, in nanoseconds since the epoch. ``error`` is a reason or type; None: it succeeded."""

    name: str
    kind: SpanKind
    trace_id: str
    span_id: str
    parent_id: str | None
    started_ns: int
    ended_ns: int
    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    error: str | None = None


class SpanSink(Protocol):
    """Takes spans that have ended. Called from many threads."""

    def take(self, span: Span) -> None:
        """Take a span, or drop it and count that. Never blocks or raises."""
        ...


def publishing(topic: str) -> dict[str, AttributeValue]:
    """Return the attributes of sending one record to a topic, by OpenTelemetry's conventions for messaging."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
    }
