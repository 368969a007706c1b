"""The transcripts topic, read again from where a run was."""

from collections.abc import Iterator, Mapping

from consumers.kafka.partition_reader import PartitionReader
from consumers.kafka.positions import Position
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Record


class TranscriptTopic:
    """The records from each partition's position to the end that it had at the start. Not thread-safe.

    Methods block and raise DependencyDown. Partitions are read one after the other, oldest record first. What has
    expired or was compacted away is not there; a position outside of the topic's records counts as none.
    """

    def __init__(self, reader: PartitionReader, topic: str, positions: Mapping[Partition, Position]) -> None:
        self._reader = reader
        self._ranges: dict[Partition, tuple[int, int]] = {}
        for number in reader.partitions_by_topic().get(topic, ()):
            first, end = reader.bounds((topic, number))
            position = positions.get((topic, number))
            is_inside = position is not None and first <= position.offset <= end
            self._ranges[topic, number] = (position.offset if position and is_inside else first, end)

    @property
    def starts(self) -> dict[Partition, int]:
        """The first offset to read of each partition."""
        return {partition: start for partition, (start, _) in self._ranges.items()}

    @property
    def total(self) -> int:
        """The number of records to read; holes between offsets are counted."""
        return sum(end - start for start, end in self._ranges.values())

    def records(self) -> Iterator[Record]:
        """Yield the records."""
        for partition, (start, end) in self._ranges.items():
            yield from self._reader.records(partition, start, end)
