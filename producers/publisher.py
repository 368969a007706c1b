"""Synchronous publisher for the command line, redrives and tests."""

from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, Message

from producers.kafka import discard, open_producer, produce, producer_configuration
from schemas.clock import Clock, SystemClock
from schemas.errors import NotDelivered
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

PUBLISH_TIMEOUT_SECONDS: Final = 30.0

_POLL_SECONDS: Final = 0.1


class Publisher:
    """Publishes records and waits until all replicas in sync have them. For one thread at a time."""

    def __init__(
        self, settings: KafkaSettings, *, client_id: str = "kascribe-publisher", clock: Clock | None = None
    ) -> None:
        self._producer = open_producer(settings, producer_configuration(settings, client_id=client_id))
        self._bootstrap_servers = settings.bootstrap_servers
        self._clock = clock or SystemClock()

    def publish(
        self, records: Iterable[OutgoingRecord], *, timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS
    ) -> int:
        """Publish records in their order and return how many. Blocks until every one is confirmed.

        Raises NotDelivered when one was refused or the time is over; repeating may publish some of them twice.
        """
        sent = list(records)
        errors = self.publish_each(sent, timeout_seconds=timeout_seconds)
        refused = [(record, error) for record, error in zip(sent, errors, strict=True) if error is not None]
        if refused:
            (record, error), confirmed = refused[0], len(sent) - len(refused)
            raise NotDelivered(
                f"{confirmed} of {len(sent)} records were delivered: one for {record.topic} was refused: "
                f"{error.str()}"
            )
        return len(sent)

    def publish_each(
        self, records: Iterable[OutgoingRecord], *, timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS
    ) -> list[KafkaError | None]:
        """Publish records in their order; return the broker's error for each, None for one that it has stored.

        Blocks until the broker has answered for every one. Raises NotDelivered when the time is over or the client
        is broken. Records that are sent together may be refused together because of one of them.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        errors: dict[int, KafkaError | None] = {}

        def on_delivery(number: int, error: KafkaError | None, _: Message) -> None:
            errors[number] = error

        enqueued = 0
        for record in records:
            refusal = self._enqueue(record, partial(on_delivery, enqueued), deadline)
            if refusal is not None:
                errors[enqueued] = refusal
            enqueued += 1
        while len(errors) < enqueued and self._clock.monotonic() < deadline:
            self._poll()
        if len(errors) < enqueued:
            confirmed = sum(error is None for error in errors.values())
            raise NotDelivered(
                f"{confirmed} of {enqueued} records were delivered: no answer from "
                f"{self._bootstrap_servers} in {timeout_seconds:g} s"
            )
        return [errors[number] for number in range(enqueued)]

    def close(self) -> None:
        """Close the client at once. Safe to repeat."""
        discard(self._producer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enqueue(self, record: OutgoingRecord, on_delivery: object, deadline: float) -> KafkaError | None:
        """Add a record to the client's queue; return its error when it refuses the record, as for its size."""
        while True:
            try:
                produce(self._producer, record, on_delivery=on_delivery)
            except BufferError as error:
                if self._clock.monotonic() >= deadline:
                    raise NotDelivered(f"the queue to {self._bootstrap_servers} does not drain") from error
                self._poll()
            except KafkaException as error:
                refusal: KafkaError = error.args[0]
                return refusal
            else:
                return None

    def _poll(self) -> None:
        try:
            self._producer.poll(_POLL_SECONDS)
        except KafkaException as error:
            raise NotDelivered(f"the producer broke: {error.args[0].str()}") from error
