"""The partitions that this process holds."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import structlog
from confluent_kafka import TopicPartition

from consumers import metrics as rows
from consumers.metrics import Metrics
from consumers.runtime.execution.holder import new_holder
from consumers.runtime.flow_control import reserved_records
from consumers.runtime.offsets.books import Books
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.partition import AssignedPartition, PartitionState
from schemas.kafka.delivery import Commit, Partition
from schemas.settings import RuntimeSettings

_log: Final = structlog.get_logger(__name__)


class Assignment:
    """The partitions held, each with its books. The owner thread's alone, callbacks of the group included.

    ``holder`` is this process's name in journals; ``is_alive`` returns whether another holder is known to live.
    ``release`` is called with partitions that are about to be dropped; their outputs must not be published later.
    """

    def __init__(
        self,
        settings: RuntimeSettings,
        metrics: Metrics,
        *,
        holder: str = "",
        is_alive: Callable[[str], bool] = lambda _holder: False,
        release: Callable[[Collection[Partition]], None] = lambda _partitions: None,
    ) -> None:
        self.partitions: dict[Partition, AssignedPartition] = {}
        self._settings = settings
        self._metrics = metrics
        self._epoch = 0
        self._holder = holder or new_holder()
        self._is_alive = is_alive
        self._release = release
        self._log_ids: dict[str, str] = {}
        self._former_log_ids: set[str] = set()

    def take(self, committed: Iterable[TopicPartition]) -> None:
        """Start tracking partitions from their commits. A partition that is held already is reset.

        A commit that refers to another log than the topic's current one means nothing: that partition is read from
        the beginning of its log.
        """
        self._epoch += 1
        committed = list(committed)
        self._drop([(position.topic, position.partition) for position in committed])
        for position in committed:
            key = (position.topic, position.partition)
            commit = Commit(position.offset, position.metadata or "") if position.offset >= 0 else None
            found = CommitMetadata.read(commit.metadata).log_id if commit else ""
            log_id = self._log_ids.get(position.topic, "") or found
            if found in {"", log_id}:
                partition = self._begin(key, commit, log_id)
            else:
                partition = self._begin(key, None, log_id, rewinding=True)
                _warn_of_a_new_log(partition, former=found)
            if partition.books.journal.predecessor_crashed:
                self._metrics.counter(rows.UNCLEAN_TAKEOVERS).labels(position.topic).inc()
                _log.warning(
                    "the process that held this partition ended; its records are named before they run",
                    topic=position.topic,
                    partition=position.partition,
                    offset=position.offset,
                )

    def replace(self, partition: AssignedPartition, *, log_id: str, rewinding: bool) -> AssignedPartition:
        """Replace a partition after its log was replaced; discard the books of the old log."""
        self._drop([partition.key])
        self._epoch += 1
        replacement = self._begin(partition.key, None, log_id, rewinding=rewinding)
        _warn_of_a_new_log(replacement, former=partition.books.log_id)
        return replacement

    def replaced_logs(self, log_ids: Mapping[str, str]) -> list[tuple[AssignedPartition, str]]:
        """Note the topics' ids, and return the partitions with another log, each with the new log's id.

        An id that was followed by another one is never valid again: a broker that lags behind may still report it.
        """
        for topic, log_id in log_ids.items():
            known = self._log_ids.get(topic, "")
            if log_id != known and log_id not in self._former_log_ids:
                self._log_ids[topic] = log_id
                self._former_log_ids.add(known)
        replaced = []
        for partition in self.partitions.values():
            log_id = self._log_ids.get(partition.key[0], "")
            books = partition.books
            if partition.state is not PartitionState.HELD or log_id == books.log_id or not log_id:
                continue
            if books.log_id:
                replaced.append((partition, log_id))
            else:
                books.learn_log_id(log_id)
        return replaced

    def remove(self, keys: Iterable[Partition]) -> None:
        """Release partitions: cancel their flights, and drop the results that still arrive."""
        self._drop(list(keys))

    def held(self, keys: Iterable[Partition]) -> list[AssignedPartition]:
        """Return those of the partitions that are held."""
        return [self.partitions[key] for key in keys if key in self.partitions]

    @property
    def waiting_records(self) -> int:
        """Records polled that wait for room or for their due time."""
        return sum(len(partition.backlog) for partition in self.partitions.values())

    def _begin(
        self, key: Partition, committed: Commit | None, log_id: str, *, rewinding: bool = False
    ) -> AssignedPartition:
        books = Books(
            committed,
            holder=self._holder,
            wary_records=self._settings.in_flight_records + reserved_records(self._settings),
            killer_attempts=self._settings.killer_attempts,
            is_alive=self._is_alive,
            log_id=log_id,
        )
        self.partitions[key] = partition = AssignedPartition(key, books, epoch=self._epoch, rewinding=rewinding)
        return partition

    def _drop(self, keys: Sequence[Partition]) -> None:
        dropped = self.held(keys)
        if not dropped:
            return
        self._release([partition.key for partition in dropped])
        for partition in dropped:
            del self.partitions[partition.key]
            partition.advance(PartitionState.GONE)


def _warn_of_a_new_log(partition: AssignedPartition, *, former: str) -> None:
    _log.warning(
        "the topic was created again or its log cut off; the new log is read from its beginning",
        topic=partition.key[0],
        partition=partition.key[1],
        former_id=former or None,
        id=partition.books.log_id or None,
    )
