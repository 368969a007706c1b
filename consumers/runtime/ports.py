"""What the runtime uses of other packages; the wiring provides it, so ``producers`` is never imported."""

from collections.abc import Callable
from typing import Protocol

from schemas.kafka.delivery import Batch, Delivery
from schemas.kafka.records import OutgoingRecord

OnDelivered = Callable[[Delivery], None]
"""Called with each delivered batch, on the outbox's thread. Must not block or raise."""


class Outbox(Protocol):
    """The one place where outputs and offsets leave. Every method may be called from any thread.

    Batches are delivered in the order of their submission, so commits never overtake each other. A delivery that
    fails is retried for as long as it takes: a batch is delivered or still here, never lost. Only ``close`` gives
    up, and then the offsets are uncommitted as well.
    """

    def submit(self, batch: Batch, on_delivered: OnDelivered) -> bool:
        """Accept a batch. Never blocks; False means full (or closed): keep the batch and submit it again."""
        ...

    def report(self, record: OutgoingRecord) -> None:
        """Publish at once and best effort. Never blocks or raises; the record may be lost."""
        ...

    @property
    def is_alive(self) -> bool:
        """False once its thread has died of a defect: nothing leaves any more, and only a new process helps."""
        ...

    @property
    def problem(self) -> str | None:
        """The sentence that says why the oldest batch is stuck; None while deliveries succeed."""
        ...

    def close(self, *, timeout_seconds: float) -> bool:
        """Deliver what it can within the time, then close the client. Blocks. False: batches were left."""
        ...
