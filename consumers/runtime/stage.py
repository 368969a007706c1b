"""The seam between the runtime and the work: a stage is a function from one record to records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.events import Failure
from schemas.records import Coordinates, OutgoingRecord, Record
from schemas.trace import Trace


@dataclass(frozen=True, slots=True)
class Weight:
    """What holding a record in flight costs; 0 where it is not known yet."""

    object_size_bytes: int = 0
    audio_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one record, as a stage sees it. Every member may be called from the stage's thread.

    ``origin`` is where the record was first read: retry topics keep it. ``report`` publishes at once and best
    effort (progress); what must not be lost is returned instead. ``weigh`` replaces the record's weight once
    more is known. ``cancelled`` turns true when the partition is gone or the process stops; a stage that
    sees it raises JobCancelled, and the runtime drops the attempt without completing the record.
    """

    record: Record
    origin: Coordinates
    attempt: int
    trace: Trace
    report: Callable[[OutgoingRecord], None]
    weigh: Callable[[Weight], None]
    cancelled: Callable[[], bool]


class Stage(Protocol):
    """The work of one consumer. It never publishes, never commits, never sleeps to retry."""

    @property
    def name(self) -> str:
        """``transcriber`` or ``enricher``: consumer group, metric label, log field."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it reads, without their retry topics."""
        ...

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Does the work and returns what is to be published. Blocks; called from many threads at once.

        Raises PermanentError (dead letter), TransientError (retry topic), DependencyDown (intake pauses, the
        same attempt again later), JobCancelled. Anything else counts as transient. Must be safe to repeat.
        """
        ...

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """What subscribers are told beside a dead letter. Must not block or raise, whatever the record holds."""
        ...

    def dependency_is_up(self, dependency: str) -> bool:
        """Whether a service that was reported down answers again. May block for a second."""
        ...
