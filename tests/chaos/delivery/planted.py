"""Outboxes with a planted fault each, to show that the checker finds it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from producers.outbox import TransactionalOutbox
from schemas.kafka.delivery import Batch, Commit, Delivery, Partition
from schemas.settings import KafkaSettings

EVERY: Final = 20
"""Batches from one occurrence of a rare fault to the next."""

OnDelivered = Callable[[Delivery], None]


class _Faulty(TransactionalOutbox):
    """Counts batches with outputs."""

    def __init__(self, settings: KafkaSettings, *, group_id: str, transactional_id: str) -> None:
        super().__init__(settings, group_id=group_id, transactional_id=transactional_id)
        self.batches = 0

    def submit(self, batch: Batch, on_delivered: OnDelivered) -> bool:
        """Submit what the fault makes of the batch."""
        self.batches += bool(batch.outputs)
        return super().submit(self.changed(batch), on_delivered)

    def changed(self, batch: Batch) -> Batch:
        """Return the batch with the fault."""
        return batch


class OffsetsFirst(_Faulty):
    """Commits, then publishes: what is killed in between is lost."""

    def submit(self, batch: Batch, on_delivered: OnDelivered) -> bool:
        """Publish the outputs half a second after their offsets."""
        if not batch.outputs:
            return super().submit(batch, on_delivered)

        def publish(delivery: Delivery) -> None:
            on_delivered(replace(delivery, batch=batch))
            later = threading.Timer(0.5, super(OffsetsFirst, self).submit, [Batch(batch.outputs), lambda _: None])
            later.daemon = True
            later.start()

        return super().submit(replace(batch, outputs=()), publish)


class OffsetAhead(_Faulty):
    """Commits one offset too many."""

    def changed(self, batch: Batch) -> Batch:
        """Add one to each offset, and leave the gap map out, as a consumer does that has none."""
        return replace(batch, commits={key: Commit(each.offset + 1) for key, each in batch.commits.items()})


class OutputsOutside(_Faulty):
    """Publishes outside of the transaction: what is aborted is read, and published again."""

    def changed(self, batch: Batch) -> Batch:
        """Send the outputs as reports."""
        for output in batch.outputs:
            self.report(output)
        return replace(batch, outputs=())


class RareOffsets(_Faulty):
    """Leaves offsets out of most transactions."""

    def changed(self, batch: Batch) -> Batch:
        """Keep the commits of each twentieth batch."""
        return batch if self.batches % EVERY == 0 else replace(batch, commits={})


class Twice(_Faulty):
    """Publishes a batch twice, now and then."""

    def changed(self, batch: Batch) -> Batch:
        """Double the outputs of each twentieth batch."""
        return replace(batch, outputs=batch.outputs * (2 if self.batches % EVERY == 0 else 1))


class Drops(_Faulty):
    """Leaves an output out, now and then."""

    def changed(self, batch: Batch) -> Batch:
        """Drop the first output of each twentieth batch."""
        return replace(batch, outputs=batch.outputs[1:]) if self.batches % EVERY == 0 else batch


class GoesBack(_Faulty):
    """Commits an older offset again, as a former owner of a partition would."""

    def __init__(self, settings: KafkaSettings, *, group_id: str, transactional_id: str) -> None:
        super().__init__(settings, group_id=group_id, transactional_id=transactional_id)
        self._first: dict[Partition, Commit] = {}

    def changed(self, batch: Batch) -> Batch:
        """Replace each twentieth batch's commits by the partition's first."""
        for key, commit in batch.commits.items():
            self._first.setdefault(key, commit)
        if self.batches % EVERY:
            return batch
        return replace(batch, commits={key: self._first[key] for key in batch.commits})


PLANTED: Final = {
    "offsets first": OffsetsFirst,
    "offset ahead": OffsetAhead,
    "outputs outside": OutputsOutside,
    "rare offsets": RareOffsets,
    "twice": Twice,
    "drops": Drops,
    "goes back": GoesBack,
}
