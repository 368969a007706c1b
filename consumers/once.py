"""Each job is done once: one record of this process does the work, and the result's owner publishes it.

::

    claim ─▶ find ─▶ cancelled? ─▶ do ─▶ owner? ─ yes ─▶ completed
      │        │          │                └─── no ──▶ completed by another record
      │        │          └─ yes ─▶ CancelledByCaller
      │        └─ found ─────────────────────▲
      └─ claimed by another record ─▶ FollowsAnother
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from consumers.ports import Owned
from consumers.runtime.ports import CancelledByCaller, FollowsAnother
from schemas.errors import JobCancelled
from schemas.kafka.records import Coordinates, OutgoingRecord

REQUESTERS_LIMIT: Final = 100
"""Most records that a claim checks for cancellation. A job that more records request runs to its end."""

Found = TypeVar("Found")
Result = TypeVar("Result", bound=Owned)
Outputs = Sequence[OutgoingRecord]


@dataclass(frozen=True, slots=True)
class Requester:
    """A record that requests a job. The callables must not block.

    ``is_stopped`` turns true when this attempt must end, cancelled by its callers or not: see ``Job.cancelled``.
    ``is_cancelled`` turns true when the record's callers have cancelled their request.
    """

    origin: Coordinates
    is_stopped: Callable[[], bool]
    is_cancelled: Callable[[], bool]


class Claim:
    """One record's right to do a job in this process, and the other records that request the same. Thread-safe.

    A record that requests a claimed job joins the claim and waits: the job is cancelled only when every record
    that requested it is.
    """

    def __init__(self, requester: Requester) -> None:
        self.origin = requester.origin
        self._is_stopped = requester.is_stopped
        self._cancellations = [requester.is_cancelled]
        self._is_cancelled = False
        self._lock = threading.Lock()

    def is_stopped(self) -> bool:
        """Return whether the work must stop: the attempt must end, or every caller has cancelled."""
        return self._is_stopped() or self.is_cancelled()

    def is_cancelled(self) -> bool:
        """Return whether every caller has cancelled. Never reverts; a later request starts a new job."""
        with self._lock:
            self._is_cancelled = self._is_cancelled or all(each() for each in self._cancellations)
            return self._is_cancelled

    def join(self, requester: Requester) -> None:
        """Add another record, which keeps the job going. No effect on a job that is cancelled already."""
        with self._lock:
            if len(self._cancellations) < REQUESTERS_LIMIT:
                # A record that lost its partition no longer keeps the job going here.
                self._cancellations.append(lambda: requester.is_stopped() or requester.is_cancelled())
            else:
                self._cancellations[-1] = _never

    def unless_cancelled(self, do: "Callable[[Claim], Found]") -> Found | None:
        """Run ``do`` and return its result; None when every caller has cancelled, before or while it runs.

        ``do`` raises JobCancelled soon after ``is_stopped`` turns true. When the attempt must end for another
        reason, JobCancelled passes through; any other exception always does.
        """
        try:
            return None if self.is_cancelled() else do(self)
        except JobCancelled:
            if self._is_stopped() or not self.is_cancelled():
                raise
            return None

    def as_requester(self) -> Requester:
        """Return this claim as the requester of another one, for a part of the job that other jobs share."""
        return Requester(self.origin, self.is_stopped, self.is_cancelled)

    @property
    def is_shared(self) -> bool:
        """Whether other records have requested the job while it was claimed."""
        return len(self._cancellations) > 1


class Claims:
    """Keys claimed in this process, each by the record that works on it. Thread-safe.

    A second record with the same key stays incomplete, without a worker, until the first has ended in this
    process, whatever its outcome: only then is it known whether the second has to do the work itself. The same
    holds for a record that is read again (its partition was reassigned here while the old attempt ends), and for a
    record whose job is in progress but cancelled by every caller.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, key: str, requester: Requester) -> Iterator[Claim]:
        """Claim a key until the context ends. Never blocks.

        Raises FollowsAnother when another attempt has the claim; another record has joined it then.
        """
        own = Claim(requester)
        with self._lock:
            current = self._claims.setdefault(key, own)
        if current is not own:
            if current.origin != requester.origin:
                current.join(requester)
            raise FollowsAnother(current.origin)
        try:
            yield own
        finally:
            with self._lock:
                del self._claims[key]

    def find_or_do(
        self, key: str, requester: Requester, *, find: Callable[[], Found | None], do: Callable[[], Found]
    ) -> Found:
        """Return what ``find`` returns, else ``do`` the work under a claim. Blocks; ``find`` runs once.

        Raises as ``claim`` does while another attempt does the work.
        """
        try:
            with self.claim(key, requester):
                return find() or do()
        except FollowsAnother:
            # The other attempt may be reading what exists already: its claim need not end first.
            if found := find():
                return found
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Generic[Result]):
    """The steps of a stage for one job. Every step may block and raise what ``Stage.process`` may raise.

    ``do`` stores the result unless another record has stored one, and returns the stored one. The callbacks return
    the record's outputs.
    """

    find: Callable[[], Result | None]
    do: Callable[[Claim], Result]
    on_completed: Callable[[Result], Outputs]
    on_completed_by_another: Callable[[Result], Outputs]
    on_cancelled: Callable[[], Outputs]


class OncePerJob:
    """Runs the steps of jobs in their order: see the top of this file. Thread-safe."""

    def __init__(self) -> None:
        self._claims = Claims()

    def run(self, key: str, requester: Requester, steps: Steps[Result]) -> Outputs:
        """Return the outputs of the steps. Raises FollowsAnother, CancelledByCaller, and what the steps raise.

        Safe to repeat: a record that owns a result returns the same outputs again.
        """
        with self._claims.claim(key, requester) as claim:
            # Publish what is finished, cancelled or not: only its owner can, and other records may wait for it.
            result = steps.find() or claim.unless_cancelled(steps.do)
            if result is None:
                raise CancelledByCaller(steps.on_cancelled())
            if result.owner == requester.origin:
                return steps.on_completed(result)
            return steps.on_completed_by_another(result)


def _never() -> bool:
    return False
