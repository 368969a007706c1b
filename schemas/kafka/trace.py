"""W3C trace context (Recommendation of 2021-11-23, version 00), the part that a pipeline needs."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from schemas.kafka.records import Headers

_TRACEPARENT: Final = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
CLOUDEVENTS_PARENT: Final = "ce_traceparent"
PREVIOUS_SPAN: Final = "kascribe-previous-span"
"""Header of a record that is tried again: the span of the attempt before, in the form of ``traceparent``. The next
attempt is a span of the same trace, linked to that one."""
CARRIED: Final = (TRACESTATE, "baggage", CLOUDEVENTS_PARENT, "ce_tracestate")
"""Headers that are copied unchanged from a record to all records made from it: W3C's beside ``traceparent``, and
those of CloudEvents' extension for tracing."""

SAMPLED: Final = 0x01
"""The bit of ``flags`` that says so."""

CARRIED_LIMIT_BYTES: Final = 8_192
"""Limit of one value, as in W3C Baggage. A longer one is dropped, so that no event grows without limit."""

HeaderLookup = Callable[[str], bytes | None]
RandomHex = Callable[[int], str]
"""Takes a number of bytes, returns twice as many lower-case hexadecimal characters."""

_identities: Final = random.Random()  # noqa: S311 - identities, no secrets; seeded by the system in every process


def random_hex(size_bytes: int) -> str:
    """Generate random digits, at a tenth of the cost of the system's generator: every record needs some."""
    return f"{_identities.getrandbits(8 * size_bytes):0{2 * size_bytes}x}"


@dataclass(frozen=True, slots=True)
class Trace:
    """One span of one trace, and the headers copied with it. A job keeps its ``trace_id`` in every topic.

    ``parent_id`` is the span that it continues; None for the first span of a trace.
    """

    trace_id: str
    span_id: str
    flags: str = "01"
    carried: Headers = ()
    parent_id: str | None = None

    @classmethod
    def parse(cls, traceparent: str | None) -> Self | None:
        """Parse a ``traceparent``; None when absent or malformed, as the specification requires."""
        match = _TRACEPARENT.match((traceparent or "").strip())
        if match is None:
            return None
        version, trace_id, span_id, flags, rest = match.groups()
        malformed = version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16)
        return None if malformed else cls(trace_id, span_id, flags)

    @classmethod
    def start(cls, random_hex: RandomHex = random_hex) -> Self:
        """Start a new trace."""
        return cls(random_hex(16), random_hex(8))

    @classmethod
    def continue_from(cls, header: HeaderLookup, random_hex: RandomHex = random_hex) -> Self:
        """Start a span of the trace in some headers, or of a new trace; ``header`` returns a value by its name.

        ``traceparent`` takes precedence over CloudEvents' extension; ``tracestate`` needs a valid one.
        """
        parent = cls._parent(header, TRACEPARENT)
        values = ((name, header(name)) for name in CARRIED if parent or name != TRACESTATE)
        carried = tuple((name, value) for name, value in values if value and len(value) <= CARRIED_LIMIT_BYTES)
        if span := parent or cls._parent(header, CLOUDEVENTS_PARENT):
            return cls(span.trace_id, random_hex(8), span.flags, carried, span.span_id)
        return cls(random_hex(16), random_hex(8), carried=carried)

    @classmethod
    def _parent(cls, header: HeaderLookup, name: str) -> Self | None:
        value = header(name)
        return cls.parse(value.decode("ascii", "replace")) if value else None

    def child(self, random_hex: RandomHex = random_hex) -> Self:
        """Start a span of the same trace."""
        return replace(self, span_id=random_hex(8), parent_id=self.span_id)

    @property
    def is_sampled(self) -> bool:
        """Whether the spans of the trace are kept: W3C's flag, which the first span's process decides."""
        return bool(int(self.flags, 16) & SAMPLED)

    @property
    def traceparent(self) -> str:
        """The value of the ``traceparent`` header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def headers(self) -> Headers:
        """The headers of a record that belongs to this span."""
        return ((TRACEPARENT, self.traceparent.encode()), *self.carried)
