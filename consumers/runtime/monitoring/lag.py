"""The lag of the partitions held, measured with an admin client.

librdkafka stops requesting the ends of paused partitions, so the lag that the consumer itself could report freezes
while they are paused.
"""

from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from consumers import metrics as rows
from consumers.kafka.admin import error_of
from consumers.metrics import Metrics
from consumers.runtime.monitoring.membership import SILENCE_SECONDS
from consumers.runtime.monitoring.snapshot import Snapshot
from schemas.clock import Clock
from schemas.kafka.delivery import Partition

REQUEST_SECONDS: Final = 5.0


class LagMeter:
    """Sets the lag gauge of each partition in the latest snapshot. Not thread-safe."""

    def __init__(self, latest: Callable[[], Snapshot], *, metrics: Metrics, clock: Clock) -> None:
        self._latest = latest
        self._gauge = metrics.gauge(rows.LAG)
        self._clock = clock
        self._measured_at: dict[Partition, float] = {}
        self.ends: Mapping[Partition, int] = {}
        """The last known ends of the partitions held, also while the broker does not answer. From any thread."""

    def measure(self, client: AdminClient) -> None:
        """Request the ends of the partitions held and set their lag. Blocks for one request per leader."""
        views = self._latest().partitions
        requested = {TopicPartition(*key): OffsetSpec.latest() for key in views}  # type: ignore[no-untyped-call]
        responses = client.list_offsets(requested, request_timeout=REQUEST_SECONDS) if requested else {}
        ends = {key: end for key, end in self.ends.items() if key in views}
        for position, response in responses.items():
            if error_of(response, timeout_seconds=REQUEST_SECONDS) is not None:
                continue
            key = (position.topic, position.partition)
            committed = views[key].committed_offset
            ends[key] = response.result().offset
            begin = committed if committed is not None else views[key].position_offset
            self._gauge.labels(*key).set(max(0, ends[key] - begin))
            self._measured_at[key] = self._clock.monotonic()
        self.ends = ends

    def expire(self) -> None:
        """End the series of partitions that are not held, or not measured for SILENCE_SECONDS: lag is unknown."""
        held = self._latest().partitions
        earliest = self._clock.monotonic() - SILENCE_SECONDS
        for key in [key for key, at in self._measured_at.items() if key not in held or at < earliest]:
            self._gauge.remove(*key)
            del self._measured_at[key]
