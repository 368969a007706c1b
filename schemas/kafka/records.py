"""Records: bytes with coordinates, as Kafka carries them."""

import re
from dataclasses import dataclass
from typing import Self

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """Where a record stands. ``offset`` counts from 0 within the partition; offsets may have holes."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The coordinates that a text names as ``str`` writes them; None when it names none."""
        match = re.fullmatch(r"(.+)\[(\d{1,10})\]@(\d{1,19})", text, re.ASCII | re.DOTALL)
        return cls(match[1], int(match[2]), int(match[3])) if match else None

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was received. Nothing in it has been interpreted."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0

    @property
    def coordinates(self) -> Coordinates:
        """Where this record was read."""
        return Coordinates(self.topic, self.partition, self.offset)

    @property
    def size_bytes(self) -> int:
        """Bytes of key and value, which is what holding the record in memory costs."""
        return len(self.key or b"") + len(self.value or b"")

    def header(self, name: str) -> bytes | None:
        """The last value of a header, as Kafka's convention has it; None when absent."""
        for header_name, value in reversed(self.headers):
            if header_name == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to be published. The partition is chosen by the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
