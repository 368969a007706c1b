"""Which jobs this process is working on, so that the second notification of a drop is not transcribed as well."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from consumers.runtime.stage import FollowsAnother
from schemas.errors import JobCancelled
from schemas.kafka.records import Coordinates

WISHES_LIMIT: Final = 100
"""References that a job in flight asks whether they are withdrawn. With more than that it runs to its end."""

Done = TypeVar("Done")


class Holding:
    """A record's claim to a job, and which other records in this process ask for the same. Thread-safe.

    Another record with the same identity leaves its wish here and waits: the job is withdrawn only when every
    record that asked for it is.
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
        """Run ``work`` and return its result; None when every caller has withdrawn, before or while it runs.

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
        """True when the work should stop: the record lost its partition, or every caller has withdrawn."""
        return self._record_cancelled() or self.withdrawn()

    def withdrawn(self) -> bool:
        """True once every caller has withdrawn. Never reverts; a later request starts a new job."""
        with self._lock:
            self._abandoned = self._abandoned or all(each() for each in self._withdrawals)
            return self._abandoned

    def join(self, withdrawn: Callable[[], bool]) -> None:
        """Add another record's wish, which keeps the job going. No effect on a job that is abandoned already."""
        with self._lock:
            if len(self._withdrawals) < WISHES_LIMIT:
                self._withdrawals.append(withdrawn)
            else:
                self._withdrawals[-1] = _never

    @property
    def is_shared(self) -> bool:
        """Whether other records asked for the job while it was held."""
        return len(self._withdrawals) > 1


class InFlight:
    """Jobs in flight, each with the record that works on it. Thread-safe.

    A second record with the same identity stays incomplete, without a worker, until the first has ended in this
    process, however it ends: only then is it known whether the second has to do the work itself. So has the same
    record when it is met again (its partition left and came back while the old attempt ends), and a record that
    meets a job which every caller has withdrawn.
    """

    def __init__(self) -> None:
        self._holders: dict[str, Holding] = {}
        self._lock = threading.Lock()

    @contextmanager
    def claim(
        self,
        job_id: str,
        origin: Coordinates,
        *,
        cancelled: Callable[[], bool],
        withdrawn: Callable[[], bool],
    ) -> Iterator[Holding]:
        """Hold the job for this record until the context ends. Never blocks.

        ``withdrawn`` says whether this record's callers withdrew it, and must not block. Raises FollowsAnother
        when another attempt holds the job; the wish is left with it.
        """
        mine = Holding(origin, cancelled=cancelled, withdrawn=withdrawn)
        with self._lock:
            holder = self._holders.setdefault(job_id, mine)
        if holder is not mine:
            if holder.origin != origin:
                # A record that lost its partition wants nothing from this process any more.
                holder.join(lambda: cancelled() or withdrawn())
            raise FollowsAnother(holder.origin)
        try:
            yield mine
        finally:
            with self._lock:
                del self._holders[job_id]


def _never() -> bool:
    return False
