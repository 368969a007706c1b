"""Publisher for many threads at once, where each waits for its own records only; the gateway uses it."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from producers.kafka import discard, open_producer, produce, producer_configuration
from schemas.errors import DependencyDown
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

KAFKA: Final = "kafka"
DELIVERY_TIMEOUT_MS: Final = 10_000
"""Short, because a client waits. The producer drops records that the broker has not confirmed by then."""

PUBLISH_TIMEOUT_SECONDS: Final = 12.0
"""Longer than the producer's timeout, so that a record reported as failed is not delivered later."""

POLL_SECONDS: Final = 0.1
IS_UP_TIMEOUT_SECONDS: Final = 0.8

_INTERACTIVE: Final = {"linger.ms": 0, "message.timeout.ms": DELIVERY_TIMEOUT_MS}

_log: Final = structlog.get_logger(__name__)


class _Confirmations:
    """Counts the delivery reports for the records of one call."""

    def __init__(self, expected: int) -> None:
        self._missing = expected
        self._lock = threading.Lock()
        self.done = threading.Event()
        self.problem: str | None = None

    def on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        with self._lock:
            self.problem = error.str() if error is not None else self.problem
            self._missing -= 1
            if self._missing == 0:
                self.done.set()


class SharedPublisher:
    """Publishes from any thread. Its own thread polls for delivery reports, so callers need not."""

    def __init__(self, settings: KafkaSettings, *, client_id: str = "kascribe-gateway") -> None:
        configuration = {**producer_configuration(settings, client_id=client_id), **_INTERACTIVE}
        self._new_producer = partial(open_producer, settings, configuration)
        self._producer = self._new_producer()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records. Blocks until all replicas in sync have every one; raises DependencyDown."""
        if not records:
            return
        confirmations = _Confirmations(len(records))
        try:
            for record in records:
                produce(self._producer, record, on_delivery=confirmations.on_delivery)
        except (BufferError, KafkaException, RuntimeError) as error:  # RuntimeError: it is being replaced
            raise DependencyDown(KAFKA, f"the broker takes no records: {error}") from error
        if not confirmations.done.wait(PUBLISH_TIMEOUT_SECONDS):
            raise DependencyDown(KAFKA, f"the broker did not answer within {PUBLISH_TIMEOUT_SECONDS:.0f} s")
        if confirmations.problem is not None:
            raise DependencyDown(KAFKA, f"the broker refused a record: {confirmations.problem}")

    def is_up(self) -> bool:
        """Probe the broker; true when it answers. Blocks for less than a second."""
        try:
            self._producer.list_topics(timeout=IS_UP_TIMEOUT_SECONDS)
        except KafkaException:
            return False
        return True

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs. It ends by itself only through a defect; nothing is published then."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Close the producer. Blocks for a second at most. Safe to repeat."""
        self._stop.set()
        self._thread.join()
        self._producer.flush(1.0)

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                self._producer.poll(POLL_SECONDS)
            except KafkaException as error:
                # A fatal error of an idempotent producer, such as a lost sequence: it never sends again.
                self._replace_producer(error.args[0])

    def _replace_producer(self, error: KafkaError) -> None:
        _log.error("producer broken; replacing it", error=error.str())
        broken, self._producer = self._producer, self._new_producer()
        discard(broken)
