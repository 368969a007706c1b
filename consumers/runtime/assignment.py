"""Which partitions this process holds."""

from collections.abc import Iterable
from typing import Final

import structlog
from confluent_kafka import TopicPartition

from consumers.runtime import metrics as rows
from consumers.runtime.admission import reserved_records
from consumers.runtime.killers import new_holder
from consumers.runtime.metrics import Metrics
from consumers.runtime.partition import AssignedPartition
from schemas.delivery import Commit, Partition
from schemas.settings import RuntimeSettings

_log: Final = structlog.get_logger(__name__)


class Assignment:
    """The partitions held, each with its ledger. The owner thread's alone, callbacks of the group included."""

    def __init__(self, settings: RuntimeSettings, metrics: Metrics) -> None:
        self.partitions: dict[Partition, AssignedPartition] = {}
        self._settings = settings
        self._metrics = metrics
        self._epoch = 0
        self._holder = new_holder()

    def take(self, committed: Iterable[TopicPartition]) -> None:
        """Begins with partitions as their commits describe them. One that is held already begins anew."""
        self._epoch += 1
        for position in committed:
            key = (position.topic, position.partition)
            self._drop(key)
            self.partitions[key] = partition = AssignedPartition(
                key,
                holder=self._holder,
                epoch=self._epoch,
                committed=Commit(position.offset, position.metadata or "") if position.offset >= 0 else None,
                wary_records=self._settings.in_flight_records + reserved_records(self._settings),
                killer_attempts=self._settings.killer_attempts,
            )
            if partition.journal.found_open:
                self._metrics.counter(rows.UNCLEAN_TAKEOVERS).labels(position.topic).inc()
                _log.warning(
                    "the process that held this partition died; its records are named before they run",
                    topic=position.topic,
                    partition=position.partition,
                    offset=position.offset,
                )

    def let_go(self, keys: Iterable[Partition]) -> None:
        """Ends with partitions: their flights are cancelled, and what comes of them is dropped."""
        for key in list(keys):
            self._drop(key)

    def held(self, keys: Iterable[Partition]) -> list[AssignedPartition]:
        """Those of the partitions that are held."""
        return [self.partitions[key] for key in keys if key in self.partitions]

    @property
    def waiting_records(self) -> int:
        """Records polled that wait for room or for their due time."""
        return sum(len(partition.backlog) for partition in self.partitions.values())

    def _drop(self, key: Partition) -> None:
        partition = self.partitions.pop(key, None)
        if partition is not None:
            partition.held = False
            partition.backlog.clear()
            for flight in partition.flights.values():
                flight.cancelled = True
