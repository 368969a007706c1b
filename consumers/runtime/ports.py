"""What the runtime asks of the outside; the wiring hands in what answers, so ``producers`` is never imported."""

from collections.abc import Callable
from typing import Protocol

from schemas.kafka.delivery import Batch, Delivery
from schemas.kafka.records import OutgoingRecord

Settled = Callable[[Delivery], None]
"""Hears of a delivered batch, on the outbox's thread. Must not block or raise: it posts to the owner thread."""


class Outbox(Protocol):
    """The one place where outputs and offsets leave. Every method may be called from any thread.

    Batches settle in the order in which they were submitted, so commits never overtake each other. A delivery
    that fails is tried again for as long as it takes: a batch is settled or still here, never lost. Only
    ``close`` gives up, and then the offsets are uncommitted as well.
    """

    def submit(self, batch: Batch, settled: Settled) -> bool:
        """Takes a batch in. Never blocks; False means full (or closed): keep the batch and offer it again."""
        ...

    def report(self, record: OutgoingRecord) -> None:
        """Publishes at once and best effort. Never blocks or raises; the record may be lost."""
        ...

    @property
    def pending(self) -> int:
        """Batches submitted and not settled."""
        ...

    @property
    def is_alive(self) -> bool:
        """False once it has died of a defect of its own: nothing leaves any more, and only a new process helps."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the oldest batch is stuck, in a sentence; None while deliveries succeed."""
        ...

    def close(self, *, timeout_seconds: float) -> bool:
        """Settles what it can within the time, then lets go of the broker. Blocks. False: batches were left."""
        ...
