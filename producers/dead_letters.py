"""Redrive of dead letters: sends them back to their topics, and marks them so that each is sent once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from itertools import islice
from typing import Final

from confluent_kafka import KafkaError

from producers.kafka import REFUSALS
from producers.publisher import Publisher
from producers.topics import ensure_topics
from schemas.clock import Clock
from schemas.errors import NotDelivered
from schemas.kafka import dead_letters, redrive_marks
from schemas.kafka.dead_letters import DeadLetter
from schemas.kafka.records import Coordinates, OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings

CHUNK_LETTERS: Final = 100
"""Letters published together, then marked: a crash in between sends at most this many twice."""

MARKS_PARTITIONS: Final = 1
"""One: the topic of marks is read as a whole, by a single reader."""


@dataclass(slots=True)
class RedriveResult:
    """The number of letters that were sent back, and a sentence for each that the broker refused."""

    count: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Redrive:
    """Sends dead letters back. Blocks; raises NotDelivered, and ConfigurationError where marks cannot be kept."""

    settings: KafkaSettings
    publisher: Publisher
    destination: Callable[[DeadLetter], str]
    _: KW_ONLY
    clock: Clock

    def send(self, letters: Iterable[DeadLetter]) -> RedriveResult:
        """Publish letters as new records and mark each that the broker has stored.

        A letter is marked only once it is stored, so a crash in between sends it again rather than losing it. A
        letter that the broker refuses for its size is reported and stays unmarked; the others are still sent.
        """
        # Before anything is sent: in a topic that the broker creates automatically, marks would expire.
        ensure_topics(self.settings, {self._marks_topic: MARKS_PARTITIONS})
        done = RedriveResult()
        for chunk in _chunks(letters):
            self._send_chunk(chunk, done)
        return done

    def forget(self, marks: Iterable[Coordinates]) -> None:
        """Remove the marks of letters that are gone, so that their topic stays bounded. Safe to repeat."""
        self.publisher.publish(redrive_marks.unmark(marks, topic=self._marks_topic))

    @property
    def _marks_topic(self) -> str:
        return Topics(self.settings.topic_prefix).redriven

    def _send_chunk(self, chunk: list[DeadLetter], done: RedriveResult) -> None:
        records = [
            dead_letters.redrive(letter, topic=self.destination(letter), now_ms=self.clock.now_ms())
            for letter in chunk
        ]
        outcomes = list(zip(chunk, records, self.publisher.publish_each(records), strict=True))
        sent = [letter for letter, _, error in outcomes if error is None]
        failure = None
        for letter, record, error in outcomes:
            if error is None:
                continue
            # Records sent together are refused together: only a letter sent alone is refused for its own size.
            final_error = self._send_alone(record) if error.code() in REFUSALS else error
            if final_error is None:
                sent.append(letter)
            elif final_error.code() in REFUSALS:
                done.refused.append(_refusal(letter, record, final_error.str()))
            else:
                failure = final_error
        self.publisher.publish(redrive_marks.mark(letter.record, topic=self._marks_topic) for letter in sent)
        done.count += len(sent)
        if failure is not None:
            raise NotDelivered(f"{done.count} letters went back, then the broker said: {failure.str()}")

    def _send_alone(self, record: OutgoingRecord) -> KafkaError | None:
        (error,) = self.publisher.publish_each([record])
        return error


def _refusal(letter: DeadLetter, record: OutgoingRecord, why: str) -> str:
    size_bytes = len(record.key or b"") + len(record.value or b"")
    size_bytes += sum(len(name) + len(value or b"") for name, value in record.headers)
    return (
        f"{letter.record.coordinates} was refused ({why}): its {size_bytes:,} bytes are more than "
        f"max.message.bytes of {record.topic} allows; raise that (kafka-configs --alter --topic {record.topic} "
        "--add-config max.message.bytes=...) and redrive the letter again"
    )


def _chunks(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    remaining = iter(letters)
    while chunk := list(islice(remaining, CHUNK_LETTERS)):
        yield chunk
