"""Positions in the topic of progress, as clients hold them between two connections. Pure.

A cursor is a position in Kafka and nothing else, so any replica can resume from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

CURSOR_CHARACTERS: Final = 8_192
"""Longest cursor that is read: more than a thousand partitions."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of one event: written ``partition-offset``."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a position as ``str`` writes it; None for any other text."""
        match = re.fullmatch(r"(\d{1,6})-(\d{1,18})", text, re.ASCII)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Frontier:
    """The next offset to read of each partition: written as the offsets in the partitions' order, with dots."""

    offsets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a frontier as ``str`` writes it; None for any other text."""
        if len(text) > CURSOR_CHARACTERS or not re.fullmatch(r"\d{1,18}(\.\d{1,18})*", text, re.ASCII):
            return None
        return cls(tuple(map(int, text.split("."))))

    @classmethod
    def of(cls, ends: Mapping[int, int]) -> Self:
        """Return the frontier of partitions that are numbered from 0."""
        return cls(tuple(ends.get(number, 0) for number in range(max(ends, default=-1) + 1)))

    def after(self, position: Position) -> Self:
        """Return the frontier once the event at a position was read. A new partition is added."""
        missing = (0,) * (position.partition + 1 - len(self.offsets))
        offsets = [*self.offsets, *missing]
        offsets[position.partition] = max(offsets[position.partition], position.offset + 1)
        return type(self)(tuple(offsets))

    def __str__(self) -> str:
        return ".".join(map(str, self.offsets))
