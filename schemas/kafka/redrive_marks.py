"""Marks of dead letters that went back: one record per letter, in a compacted topic, so none expires first.

A mark's key is the letter's coordinates and its value the letter's timestamp: a topic that was deleted and created
again has other letters at the same offsets, and none of them went back.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.kafka.delivery import Partition
from schemas.kafka.records import Coordinates, OutgoingRecord, Record

TOPIC_PROPERTIES: Final[Mapping[str, str]] = {"cleanup.policy": "compact"}
"""Of the topic of marks. Its records are some 60 bytes each, and those of letters that are gone are removed."""


def mark(letter: Record, *, topic: str) -> OutgoingRecord:
    """The record that says that a letter went back. Safe to repeat."""
    return OutgoingRecord(topic, str(letter.coordinates).encode(), str(letter.timestamp_ms).encode())


def removed(letters: Iterable[Coordinates], *, topic: str) -> Iterator[OutgoingRecord]:
    """The records that remove marks: tombstones, which the broker's compaction takes away as well."""
    return (OutgoingRecord(topic, str(letter).encode(), None) for letter in letters)


class Marks:
    """The marks of a topic, read from its beginning."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._timestamps: dict[Coordinates, bytes] = {}
        for record in records:
            letter = Coordinates.parse((record.key or b"").decode("utf-8", "replace"))
            if letter is None:
                continue
            if record.value is None:
                self._timestamps.pop(letter, None)
            else:
                self._timestamps[letter] = record.value

    def has(self, letter: Record) -> bool:
        """Whether this very letter went back."""
        return self._timestamps.get(letter.coordinates) == str(letter.timestamp_ms).encode()

    def before(self, partition: Partition, first_offset: int) -> list[Coordinates]:
        """The marks of a partition's letters below an offset."""
        return [
            each
            for each in self._timestamps
            if (each.topic, each.partition) == partition and each.offset < first_offset
        ]
