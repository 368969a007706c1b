"""Marks of redriven dead letters: one record per letter, in a compacted topic, where no mark expires early.

A mark's key is the letter's coordinates and its value the letter's timestamp: a topic that was deleted and
recreated has other letters at the same offsets, which were not redriven.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.kafka.delivery import Partition
from schemas.kafka.records import Coordinates, OutgoingRecord, Record

TOPIC_PROPERTIES: Final[Mapping[str, str]] = {"cleanup.policy": "compact"}
"""Properties of the topic of marks. A mark takes some 60 bytes; marks of expired letters are removed."""


def mark(letter: Record, *, topic: str) -> OutgoingRecord:
    """Make the record that marks a letter as redriven. Safe to repeat."""
    return OutgoingRecord(topic, str(letter.coordinates).encode(), str(letter.timestamp_ms).encode())


def unmark(letters: Iterable[Coordinates], *, topic: str) -> Iterator[OutgoingRecord]:
    """Make the records that remove marks: tombstones, which compaction removes in turn."""
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
        """Return whether this letter was redriven."""
        return self._timestamps.get(letter.coordinates) == str(letter.timestamp_ms).encode()

    def before(self, partition: Partition, first_offset: int) -> list[Coordinates]:
        """Return the marks of a partition's letters below an offset."""
        return [
            each
            for each in self._timestamps
            if (each.topic, each.partition) == partition and each.offset < first_offset
        ]
