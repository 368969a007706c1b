"""The batches of a transactional outbox: those that wait, and those of the current transaction. Thread-safe."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from schemas.kafka.delivery import Batch, Commit, Delivery, Partition
from schemas.kafka.records import OutgoingRecord


@dataclass(slots=True, eq=False)
class Submission:
    """A submitted batch. Refused outputs are replaced in ``outputs``; a released one is returned."""

    batch: Batch
    on_delivered: Callable[[Delivery], None]
    outputs: list[OutgoingRecord] = field(init=False)
    is_released: bool = False

    def __post_init__(self) -> None:
        self.outputs = list(self.batch.outputs)

    def precedes(self, later: "Submission") -> bool:
        """Return whether both are of one owner's partition, so that the later one's commit covers this one too."""
        return self.batch.owner is later.batch.owner and self.batch.partition == later.batch.partition


class Submissions:
    """Batches in the order of their submission. A transaction takes the first ones, which then are current.

    A commit covers all that was completed before it. So a batch that was submitted before its owner had taken an
    earlier one of the partition back is returned too: its commit would cover outputs that are not published.
    """

    def __init__(self, *, batches_limit: int) -> None:
        self._batches_limit = batches_limit
        self._changed = threading.Condition()
        self._waiting: deque[Submission] = deque()
        self._current: list[Submission] = []
        self._unacknowledged: list[Submission] = []
        self._is_past_check = False
        self._is_closed = False

    def add(self, submission: Submission) -> bool:
        """Add a batch; False when full or closed."""
        with self._changed:
            if self._is_closed or len(self._waiting) + len(self._current) >= self._batches_limit:
                return False
            submission.is_released = any(each.precedes(submission) for each in self._unacknowledged)
            self._waiting.append(submission)
            self._changed.notify_all()
        return True

    def close(self) -> None:
        """Accept no more batches, and end pauses."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_empty(self) -> bool:
        """Whether all batches were delivered or returned."""
        with self._changed:
            return not self._waiting and not self._current

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the first batch."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._current or self._is_closed, timeout_seconds)

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until ``close``."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, max(0.0, seconds))

    def take(self, outputs_limit: int) -> bool:
        """Make waiting batches current, up to so many outputs. False: there is none."""
        with self._changed:
            outputs = sum(len(each.outputs) for each in self._current)
            while self._waiting and (not self._current or outputs < outputs_limit):
                submission = self._waiting.popleft()
                outputs += len(submission.outputs)
                self._current.append(submission)
            return bool(self._current)

    @property
    def current(self) -> Sequence[Submission]:
        """The batches of the current transaction."""
        with self._changed:
            return tuple(self._current)

    @property
    def commits(self) -> Mapping[Partition, Commit]:
        """Their commits: a later batch of a partition has the later one."""
        return _commits_of(self.current)

    def are_committed(self, found: Mapping[Partition, Commit]) -> bool:
        """Return whether the transaction was committed, given what the group has committed since.

        All or nothing. A commit without outputs may equal the one before it, so one that is found proves nothing;
        all prove it. A partition that was released may have another owner's commit by now.
        """
        current = self.current
        held = _commits_of([each for each in current if not each.is_released])
        if held:
            return all(found.get(key) == commit for key, commit in held.items())
        return any(found.get(key) == commit for key, commit in _commits_of(current).items())

    @property
    def group_metadata(self) -> object:
        """The latest of their group metadata; None where no batch has commits."""
        return next((each.batch.group_metadata for each in reversed(self.current) if each.batch.commits), None)

    def is_allowed(self) -> bool:
        """Return whether all current batches may be committed; if so, ``release`` waits until ``end_attempt``."""
        with self._changed:
            self._is_past_check = not any(each.is_released for each in self._current)
            return self._is_past_check

    def end_attempt(self) -> None:
        """Note that the transaction has ended, or that the broker alone knows how it ends."""
        with self._changed:
            self._is_past_check = False
            self._changed.notify_all()

    def release(self, partitions: Collection[Partition], *, timeout_seconds: float) -> bool:
        """Forbid commits of these partitions. Blocks while a transaction is past its check; False: it still is."""
        with self._changed:
            for submission in (*self._waiting, *self._current):
                if submission.batch.partition in partitions:
                    submission.is_released = True
            return self._changed.wait_for(
                lambda: not (self._is_past_check and any(each.is_released for each in self._current)),
                timeout_seconds,
            )

    def pop_current(self) -> Sequence[Submission]:
        """Remove the current batches, and return them."""
        with self._changed:
            popped, self._current = self._current, []
        return popped

    def pop_released(self) -> Sequence[Submission]:
        """Remove the batches of released partitions, and return them."""
        with self._changed:
            popped = [each for each in (*self._current, *self._waiting) if each.is_released]
            if popped:
                self._current = [each for each in self._current if not each.is_released]
                self._waiting = deque(each for each in self._waiting if not each.is_released)
                self._unacknowledged += popped
        return popped

    def pop_all(self) -> Sequence[Submission]:
        """Remove all batches, and return them."""
        with self._changed:
            popped = [*self._current, *self._waiting]
            self._current = []
            self._waiting.clear()
            self._unacknowledged += popped
        return popped

    def returned(self, submission: Submission) -> Delivery:
        """Return a batch as its owner gets it back."""
        batch = replace(submission.batch, outputs=tuple(submission.outputs))
        return Delivery(batch, committed=False, returned=True, acknowledge=partial(self._acknowledge, submission))

    def _acknowledge(self, submission: Submission) -> None:
        with self._changed:
            self._unacknowledged.remove(submission)


def _commits_of(submissions: Sequence[Submission]) -> dict[Partition, Commit]:
    return {key: commit for each in submissions for key, commit in each.batch.commits.items()}
