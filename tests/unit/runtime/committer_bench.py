"""The runtime's committer without a broker: commits are recorded, and deliveries happen when the test says so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition

from schemas.kafka.delivery import Delivery
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC
from tests.unit.runtime.runtime_bench import RuntimeBench


class RecordingConsumer(Consumer):
    """A real client without a broker: commits are recorded, and ``forgetful`` loses them silently."""

    def __init__(self) -> None:
        super().__init__({"bootstrap.servers": "127.0.0.1:9", "group.id": "unused", "log_level": 0})
        self.noted: list[TopicPartition] = []
        self.forgetful = False

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:  # type: ignore[override]
        """Record the commit; the client's callback is never served."""
        assert asynchronous
        if not self.forgetful:
            self.noted += offsets

    def committed(self, partitions: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:  # type: ignore[override]
        """Return what was committed last of each partition."""
        assert timeout > 0
        last = {(each.topic, each.partition): each for each in self.noted}
        return [
            last.get((each.topic, each.partition), TopicPartition(each.topic, each.partition, OFFSET_INVALID))
            for each in partitions
        ]


class CommitterBench(RuntimeBench):
    """A bench whose outbox holds what it was given until ``deliver``."""

    def __init__(
        self, consumer: RecordingConsumer, committed: Sequence[tuple[int, str]], settings: RuntimeSettings
    ):
        super().__init__(consumer, committed, TOPIC, settings)
        self.consumer = consumer

    def deliver(self) -> None:
        """Confirm everything that was submitted so far, as the broker would, and tell the loop."""
        batches, self.outbox.batches = self.outbox.batches, []
        for batch, settled in batches:
            settled(Delivery(batch, committed=False))
        self.mailbox.listen(0)

    def offsets(self) -> list[int]:
        """Return the offsets that were committed, in order."""
        return [position.offset for position in self.consumer.noted]


@contextmanager
def committer_bench(
    *committed: tuple[int, str], settings: RuntimeSettings | None = None
) -> Iterator[CommitterBench]:
    """Yield a bench with partitions of one topic, assigned as their commits describe them."""
    consumer = RecordingConsumer()
    try:
        yield CommitterBench(consumer, committed, settings or RuntimeSettings())
    finally:
        consumer.close()
