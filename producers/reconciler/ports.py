"""What the reconciler needs of Kafka."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from schemas.kafka.records import OutgoingRecord


class Cancellations(Protocol):
    """The cancellations of jobs. Implemented by ``consumers.cancellations.Cancellations``."""

    def is_cancelled(self, job_id: str, *, requested_at: datetime, event_id: str | None) -> bool:
        """Return whether the request was cancelled. Never blocks."""
        ...


class Broker(Protocol):
    """A connection for one run, opened when the run has something to request. Every method blocks."""

    def cancellations(self) -> Cancellations:
        """Return the cancellations that were published. Raises DependencyDown."""
        ...

    def publish(self, records: Sequence[OutgoingRecord]) -> int:
        """Publish records, wait until the broker has them, and return how many. Raises NotDelivered."""
        ...


class OpenBroker(Protocol):
    """Opens the connection."""

    def __call__(self) -> AbstractContextManager[Broker]:
        """Connect while the context lasts. Raises DependencyDown or ConfigurationError, when it is entered."""
        ...
