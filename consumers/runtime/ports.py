"""The interfaces that the runtime needs: a stage, which does the work of a role, and an outbox, which publishes.

The wiring provides both, so the runtime imports neither a role nor ``producers``.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import JobCancelled
from schemas.events import AudioReference, Failure
from schemas.kafka.delivery import Batch, Delivery, Partition
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.trace import Trace


@dataclass(frozen=True, slots=True)
class Weight:
    """The cost of holding a record in flight; 0 where it is not known yet."""

    object_size_bytes: int = 0
    audio_seconds: float = 0.0


class FollowsAnother(Exception):
    """Another record in this process does the work that this record requests.

    The runtime runs the record again, as the same attempt, once that one has ended; until then it holds no worker.
    ``leader`` is the other one's ``Job.origin``; it is the record's own after its partition was reassigned here.
    """

    def __init__(self, leader: Coordinates) -> None:
        super().__init__(f"the same job is done for {leader}")
        self.leader = leader


class CancelledByCaller(JobCancelled):
    """Every caller has cancelled the job: the record completes with ``outputs``, which report that."""

    def __init__(self, outputs: Sequence[OutgoingRecord] = ()) -> None:
        super().__init__("every caller has cancelled the job")
        self.outputs = outputs


@dataclass(slots=True)
class Notes:
    """Facts that ``process`` notes about a record, for ``failed``. The runtime does not read them."""

    reference: AudioReference | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one record, as a stage sees it. Every member may be called from the stage's thread.

    ``origin`` is where the record was first read: retry topics keep it. ``report`` publishes at once and best
    effort (progress); outputs that must not be lost are returned instead. ``weigh`` replaces the record's weight
    once more is known. ``cancelled`` turns true when the partition is gone or the process stops; a stage that
    sees it raises JobCancelled, and the runtime drops the attempt without completing the record. ``is_final``
    returns whether an error ends the record in a dead letter, rather than in another attempt.
    """

    record: Record
    origin: Coordinates
    attempt: int
    trace: Trace
    report: Callable[[OutgoingRecord], None]
    weigh: Callable[[Weight], None]
    cancelled: Callable[[], bool]
    is_final: Callable[[Exception], bool]
    notes: Notes = field(default_factory=Notes)


class Stage(Protocol):
    """The work of one consumer. It never publishes, never commits, never sleeps to retry."""

    @property
    def name(self) -> str:
        """The role: consumer group, metric label, log field."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it reads, without their retry topics."""
        ...

    @property
    def retried_topics(self) -> tuple[str, ...]:
        """Those of its topics whose retry topics are its own: all, unless it shares topics with other roles.

        On any other topic the first failure is the last.
        """
        ...

    @property
    def services(self) -> tuple[str, ...]:
        """The services that every record needs. They are probed even when idle; see ``dependency_is_up``."""
        ...

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Do the work, and return the records to publish. Blocks; called from many threads at once.

        Raises PermanentError (dead letter), TransientError (retry topic), DependencyDown (intake pauses, the
        same attempt again later), FollowsAnother (the same attempt again once that one has ended),
        CancelledByCaller (complete), JobCancelled (not complete). Anything else counts as transient. Must be safe
        to repeat.
        """
        ...

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Return the events to publish with a dead letter. Must not block or raise, whatever the record holds."""
        ...

    def dependency_is_up(self, dependency: str) -> bool:
        """Probe a service that was reported down; True if it answers again. May block for a second."""
        ...


OnDelivered = Callable[[Delivery], None]
"""Called with each delivered batch, on the outbox's thread. Must not block or raise."""


class Outbox(Protocol):
    """The only path by which outputs and offsets are published. Every method may be called from any thread.

    Batches are delivered in the order of their submission, so commits never overtake each other. A delivery that
    fails is retried for as long as it takes: a batch is delivered or still here, never lost. Only ``close`` gives
    up, and then the offsets are uncommitted as well.
    """

    @property
    def is_transactional(self) -> bool:
        """Whether a batch's commits are delivered together with its outputs, or else are left to the caller.

        If so, a batch holds outputs of one partition, the commit that covers them, and the group's metadata.
        """
        ...

    def submit(self, batch: Batch, on_delivered: OnDelivered) -> bool:
        """Accept a batch. Never blocks; False means full (or closed): keep the batch and submit it again."""
        ...

    def release(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Return the batches with commits of these partitions, which another process is about to take over.

        Blocks until the outbox cannot commit them any more.
        """
        ...

    def report(self, record: OutgoingRecord) -> None:
        """Publish at once and best effort. Never blocks or raises; the record may be lost."""
        ...

    @property
    def is_alive(self) -> bool:
        """False once its thread has died of a defect: nothing is published any more; only a new process helps."""
        ...

    @property
    def problem(self) -> str | None:
        """The sentence that says why the oldest batch is stuck; None while deliveries succeed."""
        ...

    def close(self, *, timeout_seconds: float) -> bool:
        """Deliver as much as possible within the time, then close the client. Blocks. False: batches were left."""
        ...
