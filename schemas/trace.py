"""W3C trace context (Recommendation of 2021-11-23, version 00), as much of it as a pipeline needs."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

_TRACEPARENT = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")
RandomHex = Callable[[int], str]
"""Takes a number of bytes, returns twice as many lower-case hexadecimal characters."""

_identities = random.Random()  # noqa: S311 - identities, no secrets; seeded by the system in every process


def random_hex(size_bytes: int) -> str:
    """A tenth of what the system's own random numbers cost, of which every record takes one."""
    return f"{_identities.getrandbits(8 * size_bytes):0{2 * size_bytes}x}"


@dataclass(frozen=True, slots=True)
class Trace:
    """One span of one trace. A job keeps its ``trace_id`` through every topic."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @classmethod
    def parse(cls, traceparent: str | None) -> Self | None:
        """The context in a ``traceparent``; None when absent or malformed, as the specification asks."""
        match = _TRACEPARENT.match((traceparent or "").strip())
        if match is None:
            return None
        version, trace_id, span_id, flags, rest = match.groups()
        malformed = version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16)
        return None if malformed else cls(trace_id, span_id, flags)

    @classmethod
    def start(cls, random_hex: RandomHex = random_hex) -> Self:
        """A new trace."""
        return cls(random_hex(16), random_hex(8))

    def child(self, random_hex: RandomHex = random_hex) -> "Trace":
        """A new span of the same trace."""
        return Trace(self.trace_id, random_hex(8), self.flags)

    @property
    def traceparent(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"
