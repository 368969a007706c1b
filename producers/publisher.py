"""Publishing for whoever wants to wait for it: the command line, redrives, tests."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, Message

from producers.kafka import discard, open_producer, produce, producer_configuration
from schemas.errors import NotDelivered
from schemas.records import OutgoingRecord
from schemas.settings import KafkaSettings

PUBLISH_TIMEOUT_SECONDS: Final = 30.0

_POLL_SECONDS: Final = 0.1


class Publisher:
    """Publishes records and waits until all replicas in sync have them. One thread at a time."""

    def __init__(self, settings: KafkaSettings, *, client_id: str = "kascribe-publisher") -> None:
        self._producer = open_producer(settings, producer_configuration(settings, client_id=client_id))
        self._bootstrap_servers = settings.bootstrap_servers

    def publish(
        self, records: Iterable[OutgoingRecord], *, timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS
    ) -> int:
        """Publishes records in their order and returns how many. Blocks until every one is confirmed.

        Raises NotDelivered when one was refused or the time is over; a repeat may publish some of them twice.
        """
        deadline = time.monotonic() + timeout_seconds
        answers: list[KafkaError | None] = []

        def answered(error: KafkaError | None, _: Message) -> None:
            answers.append(error)

        handed_over = 0
        for record in records:
            self._hand_over(record, answered, deadline)
            handed_over += 1
        while len(answers) < handed_over and time.monotonic() < deadline:
            self._poll()
        errors = [error.str() for error in answers if error is not None]
        if errors or len(answers) < handed_over:
            why = errors[0] if errors else f"no answer from {self._bootstrap_servers} in {timeout_seconds:g} s"
            confirmed = len(answers) - len(errors)
            raise NotDelivered(f"{confirmed} of {handed_over} records were delivered: {why}")
        return handed_over

    def close(self) -> None:
        """Lets go of the broker at once. Safe to repeat."""
        discard(self._producer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self, record: OutgoingRecord, answered: object, deadline: float) -> None:
        while True:
            try:
                produce(self._producer, record, on_delivery=answered)
            except BufferError as error:
                if time.monotonic() >= deadline:
                    raise NotDelivered(f"the queue to {self._bootstrap_servers} does not drain") from error
                self._poll()
            except KafkaException as error:
                raise NotDelivered(f"a record for {record.topic} was refused: {error.args[0].str()}") from error
            else:
                return

    def _poll(self) -> None:
        try:
            self._producer.poll(_POLL_SECONDS)
        except KafkaException as error:
            raise NotDelivered(f"the producer broke: {error.args[0].str()}") from error
