"""Records: bytes with coordinates, as in Kafka."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """Position of a record. ``offset`` counts from 0 within the partition; offsets may have holes."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse coordinates as ``str`` writes them; None for any other text."""
        match = re.fullmatch(r"(.+)\[(\d{1,10})\]@(\d{1,19})", text, re.ASCII | re.DOTALL)
        return cls(match[1], int(match[2]), int(match[3])) if match else None

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as received, uninterpreted."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0

    @property
    def coordinates(self) -> Coordinates:
        """The position of this record."""
        return Coordinates(self.topic, self.partition, self.offset)

    @property
    def size_bytes(self) -> int:
        """Bytes of key and value, the memory that the record takes."""
        return len(self.key or b"") + len(self.value or b"")

    def header(self, name: str) -> bytes | None:
        """Return the last value of a header, by Kafka's convention; None when absent."""
        for header_name, value in reversed(self.headers):
            if header_name == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Answered:
    """The request that an output answers: when it was made, and its lane."""

    requested_at: datetime
    lane: str


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to be published. The partition is chosen by the key. ``answers`` is for metrics: it is not sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    answers: Answered | None = field(default=None, compare=False)
