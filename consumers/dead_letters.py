"""Reader of dead letters, with a flag on those that were redriven.

A redriven letter is marked in a topic of our own (see ``redrive_marks``), which is read before the letters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from consumers.kafka.partition_reader import PartitionReader
from schemas.clock import Clock
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import DeadLetter
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.redrive_marks import Marks
from schemas.kafka.topics import Topics, origin_topic, shortest_retry_topic
from schemas.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A dead letter, and whether it has been redriven."""

    letter: DeadLetter
    redriven: bool


class DeadLetterReader:
    """Reads the dead letters of some topics. Not thread-safe; every method may block, and raises DependencyDown.

    Concurrent redrives both send the letters that were unmarked when they started: run one redrive at a time.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str], *, clock: Clock | None = None) -> None:
        self._topics = topics
        self._marks_topic = Topics(settings.topic_prefix).redriven
        self._reader = PartitionReader(settings, name="dead-letters", clock=clock)
        self._marks = Marks()
        self._first_offsets: dict[Partition, int] = {}
        self._destinations: dict[str, str] = {}

    def read(self) -> Iterator[FoundLetter]:
        """Yield every letter that is there now, partition by partition, oldest first. A missing topic has none."""
        self._marks = Marks(
            record for key in self._partitions([self._marks_topic]) for record in self._records(key)
        )
        for key in self._partitions(self._topics):
            for record in self._records(key):
                yield FoundLetter(dead_letters.read(record), redriven=self._marks.has(record))

    def find(self, coordinates: Coordinates) -> FoundLetter | None:
        """Return the letter at these coordinates, as ``list`` shows them; None when there is none."""
        matches = (found for found in self.read() if found.letter.record.coordinates == coordinates)
        return next(matches, None)

    def destination(self, letter: DeadLetter) -> str:
        """Return the topic for a redriven letter: a retry topic of its original topic, whatever its headers name.

        Consumers read every retry topic that exists, and trust a record's origin only there. A deployment without
        retry topics gets the letter as a new record on the input topic. Queries the broker once for each topic.
        """
        topic = origin_topic(letter.record.topic)
        if topic not in self._destinations:
            self._destinations[topic] = shortest_retry_topic(topic, self._reader.partitions_by_topic()) or topic
        return self._destinations[topic]

    def outdated_marks(self) -> list[Coordinates]:
        """Return the marks of letters that have expired, in the partitions that ``read`` has reached."""
        return [
            letter
            for partition, first_offset in self._first_offsets.items()
            for letter in self._marks.before(partition, first_offset)
        ]

    def close(self) -> None:
        """Close the connection to the broker."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _partitions(self, names: Sequence[str]) -> list[Partition]:
        partitions = self._reader.partitions_by_topic()
        return [(name, number) for name in names for number in partitions.get(name, ())]

    def _records(self, key: Partition) -> Iterator[Record]:
        """Yield the records that a partition has now."""
        first, end = self._reader.bounds(key)
        self._first_offsets[key] = first
        return self._reader.records(key, first, end)
