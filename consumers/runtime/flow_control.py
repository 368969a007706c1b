"""Pausing, resuming and rewinding partitions at the client, as ``admission.steer`` and the partitions say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from consumers.kafka.client import positions
from consumers.runtime.admission import PartitionState, steer
from consumers.runtime.partition import AssignedPartition
from schemas.clock import Clock
from schemas.kafka.delivery import Partition

STEER_SECONDS: Final = 0.1
"""Between pausing a partition and resuming it. librdkafka ignores a pause that a resume overtakes, and rewinds."""

PAUSE_AFTER_SECONDS: Final = 0.5
"""Without room for so long, partitions pause; pausing throws away what the client has fetched."""


class FlowControl:
    """Tells the client which partitions to fetch. The owner thread's alone."""

    def __init__(self, consumer: Consumer, clock: Clock) -> None:
        self._consumer = consumer
        self._clock = clock
        self._shut_since = clock.monotonic()

    def steer(self, partitions: Mapping[Partition, AssignedPartition], *, room: int, reserved_room: int) -> None:
        """Pauses what must not be polled, resumes the rest, rewinds what begins anew.

        ``room`` counts records that may be taken in now, ``reserved_room`` interactive ones beyond it.

        A short lack of room pauses nothing: what a poll brings meanwhile is a record or two, and they wait here.
        A longer one leaves those partitions open of which nothing waits: their next record may be interactive.
        """
        now = self._clock.monotonic()
        for partition in partitions.values():
            if partition.rewinding:
                self._rewind(partition)
        unknown = [partition for partition in partitions.values() if partition.paused is None]
        self._set_paused(unknown, self._consumer.resume, paused=False)
        open_now = room > 0
        if open_now:
            self._shut_since = now
        shut_for_long = now - self._shut_since >= PAUSE_AFTER_SECONDS
        states = (
            PartitionState(
                partition.key,
                bool(partition.paused),
                len(partition.backlog) if open_now or shut_for_long or partition.paused else 0,
                partition.ledger.can_receive(),
            )
            for partition in partitions.values()
            if now - partition.steered_at >= STEER_SECONDS
        )
        steering = steer(states, shut=shut_for_long and reserved_room <= 0)
        self._set_paused([partitions[key] for key in steering.pause], self._consumer.pause, paused=True)
        self._set_paused([partitions[key] for key in steering.resume], self._consumer.resume, paused=False)

    def log_reaches(self, partition: AssignedPartition) -> bool:
        """Whether the log is at least as long as what was polled of it, as far as the client has heard."""
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition.key), cached=True)
        return end >= partition.polled

    def _rewind(self, partition: AssignedPartition) -> None:
        try:
            self._consumer.seek(TopicPartition(*partition.key, OFFSET_BEGINNING))
        except KafkaException:
            return  # the client does not fetch it yet; the next turn tries again
        partition.rewinding = False

    def _set_paused(
        self,
        partitions: Sequence[AssignedPartition],
        call: Callable[[list[TopicPartition]], None],
        *,
        paused: bool,
    ) -> None:
        if not partitions:
            return
        call(positions([partition.key for partition in partitions]))
        for partition in partitions:
            partition.paused = paused
            partition.steered_at = self._clock.monotonic()
