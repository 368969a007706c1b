"""Reading dead letters, and remembering which of them went back.

The memory is a committed offset with a gap map per partition of the dead-letter topic, kept by a ledger as any
consumer's: a letter that was redriven is complete. It lives at the broker, in a group of its own that no member
ever joins, so it survives this process and nothing has to be stored anywhere else.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.runtime.kafka import client_configuration, open_consumer, to_record
from consumers.runtime.ledger import PartitionLedger
from schemas import dead_letters
from schemas.dead_letters import DeadLetter
from schemas.delivery import Commit, Partition
from schemas.errors import DependencyDown
from schemas.records import Coordinates
from schemas.settings import KafkaSettings

GROUP: Final = "dead-letters"
REQUEST_TIMEOUT_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 15.0
"""Without a record although the partition has more: the broker is gone."""

_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A dead letter, and whether it was redriven already."""

    letter: DeadLetter
    redriven: bool


class DeadLetterReader:
    """The dead letters of some topics. One thread's; every method may block, and raises DependencyDown.

    Reading gives up after 15 s, ``commit`` after librdkafka's minute.

    Two readers that mark at the same time forget some of each other's marks: redrive from one place.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        self._topics = topics
        self._consumer = open_consumer(
            settings,
            {
                **client_configuration(settings, client_id="kascribe-dead-letters"),
                "group.id": f"{settings.group_id_prefix}{GROUP}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # Requests queue behind a fetch that waits at a partition's end; nobody waits for new letters here.
                "fetch.wait.max.ms": 10,
            },
        )
        self._ledgers: dict[Partition, PartitionLedger] = {}

    def read(self) -> Iterator[FoundLetter]:
        """Every letter that is there now, partition by partition, oldest first. A missing topic has none."""
        for key in self._partitions():
            position = TopicPartition(*key)
            with _kafka_errors(f"{key[0]}[{key[1]}] cannot be read"):
                (committed,) = self._consumer.committed([position], timeout=REQUEST_TIMEOUT_SECONDS)
                low, high = self._consumer.get_watermark_offsets(position, timeout=REQUEST_TIMEOUT_SECONDS)
            known = Commit(committed.offset, committed.metadata or "") if committed.offset >= 0 else Commit(low)
            ledger = self._ledgers[key] = PartitionLedger(committed=known)
            for letter in self._letters(key, low, high):
                offset = letter.record.offset
                yield FoundLetter(letter, redriven=offset < known.offset or not ledger.receive(offset))

    def find(self, coordinates: Coordinates) -> FoundLetter | None:
        """The letter at these coordinates, as ``list`` shows them; None when there is none."""
        found = (found for found in self.read() if found.letter.record.coordinates == coordinates)
        return next(found, None)

    def mark(self, letter: DeadLetter) -> None:
        """Notes that a letter that ``read`` has given went back. Durable with ``commit``. Safe to repeat."""
        self._ledgers[letter.record.topic, letter.record.partition].complete(letter.record.offset)

    def commit(self) -> None:
        """Makes the marks durable. Safe to repeat.

        Thousands of marks with as many letters between them may not all fit (see ``gap_map``); those that do not
        are redriven again the next time, which the job's identity absorbs.
        """
        commits = {key: commit for key, ledger in self._ledgers.items() if (commit := ledger.commit()) is not None}
        if not commits:
            return
        offsets = [TopicPartition(*key, commit.offset, commit.metadata) for key, commit in commits.items()]
        with _kafka_errors("what went back cannot be noted"):
            self._consumer.commit(offsets=offsets, asynchronous=False)
        for key, commit in commits.items():
            self._ledgers[key].committed(commit)

    def close(self) -> None:
        """Lets go of the broker; marks that were not committed are forgotten."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _partitions(self) -> list[Partition]:
        with _kafka_errors("no broker answers"):
            topics = self._consumer.list_topics(timeout=REQUEST_TIMEOUT_SECONDS).topics
        return [
            (name, number) for name in self._topics if name in topics for number in sorted(topics[name].partitions)
        ]

    def _letters(self, key: Partition, low: int, high: int) -> Iterator[DeadLetter]:
        if low >= high:
            return
        self._consumer.assign([TopicPartition(*key, low)])
        heard_at = time.monotonic()
        while True:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is None:
                if time.monotonic() - heard_at > SILENCE_SECONDS:
                    raise DependencyDown("kafka", f"{key[0]}[{key[1]}] does not go on, {high} is its end")
                continue
            heard_at = time.monotonic()
            error = message.error()
            if error is None:
                record = to_record(message)
                if record.offset < high:
                    yield dead_letters.read(record)
                if record.offset >= high - 1:
                    return
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                return
            elif not error.retriable():
                raise DependencyDown("kafka", f"{key[0]}[{key[1]}] cannot be read: {error.str()}")


@contextmanager
def _kafka_errors(trouble: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise DependencyDown("kafka", f"{trouble}: {error.args[0].str()}") from error
