"""Drain of partitions: finish the attempts that can end in time, commit, and only then release them."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

import structlog

from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Committer
from consumers.runtime.dispatch import Dispatch
from consumers.runtime.partition import AssignedPartition, PartitionState
from schemas.clock import Clock

_log: Final = structlog.get_logger(__name__)

COMMIT_RESERVE_SECONDS: Final = 5.0
"""For delivery and commit after the work, however long that took: finished work must not be redone."""

HURRIED_RESERVE_SECONDS: Final = 0.4
"""The same after a second signal, which ends the process within a second."""

CLOSING_SECONDS: Final = 8.0
"""Part of the time from the first signal to the end of the process: for that commit and for closing everything."""


class Drain:
    """Drains partitions and releases them. The owner thread's alone; also inside the group's callbacks.

    ``is_hurried`` returns whether the process has to stop at once.
    """

    def __init__(
        self,
        assignment: Assignment,
        dispatch: Dispatch,
        committer: Committer,
        *,
        is_hurried: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._assignment = assignment
        self._dispatch = dispatch
        self._committer = committer
        self._is_hurried = is_hurried
        self._clock = clock
        self._deadline = inf

    def drain(
        self,
        partitions: Sequence[AssignedPartition],
        *,
        timeout_seconds: float,
        step: Callable[[], None],
        commit_tries: int,
    ) -> None:
        """Finish, commit and release. Blocks for ``timeout_seconds`` and the reserve at most.

        ``step`` is one turn of the loop. A drain inside another one (the group revokes partitions of a process
        that ends) has no later deadline than the outer one. ``commit_tries`` is 1 where the group waits for this
        process: a commit that it refuses now is refused until the drain is over.

        Attempts that run may finish; records that have not begun are left to the next holder. Afterwards results
        of these partitions are dropped.
        """
        if not partitions:
            return
        before = self._deadline
        self._deadline = deadline = min(before, self._clock.monotonic() + timeout_seconds)
        for partition in partitions:
            self._close(partition)
        self._wait(lambda: not _running(partitions) or self._is_hurried(), deadline, step)
        if left := _running(partitions):
            _log.warning("drain timed out, the rest is left to the next holder", in_flight_records=left)
        self._commit(partitions, deadline, step, tries=commit_tries)
        self.drop(_held(partitions))
        self._deadline = before

    def drop(self, partitions: Sequence[AssignedPartition]) -> None:
        """Release without draining: the partitions belong to another process already. Never blocks."""
        for partition in partitions:
            self._dispatch.drop_all(partition)
        self._assignment.remove([partition.key for partition in partitions])

    def _close(self, partition: AssignedPartition) -> None:
        partition.advance(PartitionState.DRAINING)
        self._dispatch.drop(partition)
        for flight in partition.flights.values():
            if not flight.started:
                flight.cancel()

    def _commit(
        self, partitions: Sequence[AssignedPartition], deadline: float, step: Callable[[], None], *, tries: int
    ) -> None:
        now = self._clock.monotonic()
        # Whatever time the drain had left: a hurried process must not wait for a broker that does not answer.
        deadline = (
            now + HURRIED_RESERVE_SECONDS if self._is_hurried() else max(deadline, now + COMMIT_RESERVE_SECONDS)
        )
        for partition in partitions:
            partition.advance(PartitionState.LEAVING)
        for _ in range(tries):
            self._committer.submit(urgent=True)
            self._wait(lambda: not any(p.books.commit_is_open for p in _held(partitions)), deadline, step)
            if self._clock.monotonic() >= deadline or all(p.is_committed for p in _held(partitions)):
                return
            step()

    def _wait(self, is_done: Callable[[], bool], deadline: float, step: Callable[[], None]) -> None:
        while not is_done() and self._clock.monotonic() < deadline:
            step()


def work_seconds(limit_seconds: float) -> float:
    """Return how long work may continue after the first signal in a process that ends within the limit."""
    return limit_seconds - min(CLOSING_SECONDS, limit_seconds / 4)


def _held(partitions: Sequence[AssignedPartition]) -> list[AssignedPartition]:
    """Return the partitions without those that another drain has released."""
    return [partition for partition in partitions if not partition.is_gone]


def _running(partitions: Sequence[AssignedPartition]) -> int:
    """Count the attempts that have begun. Others may be queued for hours, behind those of other partitions."""
    return sum(flight.started for partition in _held(partitions) for flight in partition.flights.values())
