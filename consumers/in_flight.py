"""Which jobs this process is working on, so that the second notification of a drop is not transcribed as well."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from schemas.errors import JobCancelled
from schemas.records import Coordinates

SAME_RECORD_WAIT_SECONDS: Final = 60.0
"""For an earlier attempt at the very same record to end; after it both go on, which is safe."""

LOOK_AGAIN_SECONDS: Final = 0.1
"""Between looks at whether the waiting record itself was cancelled."""

WISHES_LIMIT: Final = 100
"""References that a job in flight asks whether they are withdrawn. With more than that it runs to its end."""

Done = TypeVar("Done")


class Holding:
    """A record's claim to a job, and who else in this process asked for the same. Safe to share between threads.

    Another record with the same identity completes at once and leaves its wish here: the job is withdrawn only
    when all who asked have withdrawn.
    """

    def __init__(
        self, origin: Coordinates, *, cancelled: Callable[[], bool], withdrawn: Callable[[], bool]
    ) -> None:
        self.origin = origin
        self._record_cancelled = cancelled
        self._withdrawals = [withdrawn]
        self._abandoned = False
        self._lock = threading.Lock()

    def unless_withdrawn(self, work: Callable[[], Done]) -> Done | None:
        """What ``work`` gives; None when nobody wants it, before or while it runs.

        ``work`` raises JobCancelled soon after ``cancelled`` turns true; of a record that lost its partition that
        passes through, like everything else that it raises.
        """
        try:
            return None if self.withdrawn() else work()
        except JobCancelled:
            if self._record_cancelled() or not self.withdrawn():
                raise
            return None

    def cancelled(self) -> bool:
        """Whether to stop: the record lost its partition, or nobody wants the job any more."""
        return self._record_cancelled() or self.withdrawn()

    def withdrawn(self) -> bool:
        """Whether nobody wants the job any more. Once true it stays so: who asks later begins it anew."""
        with self._lock:
            self._abandoned = self._abandoned or all(each() for each in self._withdrawals)
            return self._abandoned

    def join(self, withdrawn: Callable[[], bool]) -> bool:
        """Whether the job is done for this wish as well: not when it is being abandoned already."""
        with self._lock:
            if len(self._withdrawals) < WISHES_LIMIT:
                self._withdrawals.append(withdrawn)
            else:
                self._withdrawals[-1] = _never
            return not self._abandoned

    @property
    def is_shared(self) -> bool:
        """Whether others asked for the job while it was held."""
        return len(self._withdrawals) > 1


class InFlight:
    """Jobs in flight, each with the record that works on it. Safe to share between threads.

    A second record with the same identity does not wait, and completes at once without output: the first stays
    incomplete until its own outcome is published, dead-lettered or redelivered, or until the second is withdrawn
    as well, so nothing rests on the second. Waiting would hold a worker for as long as the audio takes, for every
    notification that arrives twice.

    The same record met again (its partition left and came back while the old attempt ends) is another matter:
    what the old attempt gives will be dropped, so the new one has to wait for it to leave, and then does the work.
    So has a record that meets a job which is just being abandoned, because all who asked for it have withdrawn.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holders: dict[str, Holding] = {}
        self._left = threading.Condition()

    @contextmanager
    def claim(
        self,
        job_id: str,
        origin: Coordinates,
        *,
        cancelled: Callable[[], bool],
        withdrawn: Callable[[], bool],
    ) -> Iterator[Holding | None]:
        """The record's hold on the job until the context ends; None when another record does it.

        ``withdrawn`` says whether this record's wish was, and must not block. Blocks only for an attempt that is
        ending. Raises JobCancelled when the record is cancelled meanwhile.
        """
        holding = Holding(origin, cancelled=cancelled, withdrawn=withdrawn)
        with self._left:
            is_duplicate = self._joined(job_id, holding, cancelled, withdrawn)
            is_first = not is_duplicate and self._holders.setdefault(job_id, holding) is holding
        try:
            yield None if is_duplicate else holding
        finally:
            if is_first:
                with self._left:
                    del self._holders[job_id]
                    self._left.notify_all()

    def _joined(
        self, job_id: str, mine: Holding, cancelled: Callable[[], bool], withdrawn: Callable[[], bool]
    ) -> bool:
        """Whether another record does the job for this one; else it is free, or the wait for it is over."""
        deadline = self._clock() + SAME_RECORD_WAIT_SECONDS
        while (holder := self._holders.get(job_id)) is not None and self._clock() < deadline:
            if holder.origin != mine.origin and holder.join(withdrawn):
                return True
            if cancelled():
                raise JobCancelled(f"{mine.origin} was cancelled while an earlier attempt at its job was ending")
            self._left.wait(LOOK_AGAIN_SECONDS)
        return False


def _never() -> bool:
    return False
