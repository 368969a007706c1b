"""A partition that this process holds, and its flights. They refer to each other, so they share a module.

::

    HELD ──▶ DRAINING ──▶ LEAVING ──▶ GONE
      └──────────────────────────────▲
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

from consumers.runtime.offsets.books import Books
from consumers.runtime.ports import Job, Weight
from schemas.kafka.delivery import Commit, Partition
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.monitoring.active_span import ActiveSpan

NO_WEIGHT: Final = Weight()
NOTHING_BOUND: Final[Mapping[str, object]] = {}


class PartitionState(IntEnum):
    """What happens to the records of a partition. A partition only moves forward."""

    HELD = 0
    """Records are received and run."""
    DRAINING = 1
    """Nothing new begins; attempts that run may finish."""
    LEAVING = 2
    """The last commit is on its way."""
    GONE = 3
    """Another process holds the partition, or its log was replaced: late results are dropped."""


class AssignedPartition:
    """One log of a partition, from its assignment until it is gone: its books, backlog, flights and outputs.

    The owner thread's alone. ``epoch`` numbers the objects, since a partition may be assigned again. ``backlog``
    holds records that were polled and not admitted, ``unnamed`` flights that wait until the journal names them
    durably, ``outputs`` the outputs of completed records that have not been submitted. ``paused`` is None until
    the client has paused or resumed the partition. ``polled`` is the offset after the highest that a poll
    returned. While ``rewinding`` the client still has to seek to the log's beginning, and the records that it
    returns before that are dropped.
    """

    __slots__ = (
        "backlog",
        "books",
        "due_at_ms",
        "epoch",
        "flights",
        "key",
        "outputs",
        "pause_changed_at",
        "paused",
        "polled",
        "rewinding",
        "state",
        "unnamed",
    )

    def __init__(self, key: Partition, books: Books, *, epoch: int, rewinding: bool = False) -> None:
        self.key = key
        self.books = books
        self.epoch = epoch
        self.state = PartitionState.HELD
        self.backlog: deque[Record] = deque()
        self.due_at_ms = 0
        self.flights: dict[int, Flight] = {}
        self.unnamed: list[Flight] = []
        self.outputs: list[OutgoingRecord] = []
        self.polled = 0
        self.paused: bool | None = None
        self.pause_changed_at = 0.0
        self.rewinding = rewinding

    def advance(self, state: PartitionState) -> None:
        """Move to a later state; ignore an earlier one. Drops the backlog, and when gone cancels the flights."""
        self.state = max(self.state, state)
        if self.state is not PartitionState.HELD:
            self.backlog.clear()
        if self.state is PartitionState.GONE:
            for flight in self.flights.values():
                flight.leave()

    @property
    def is_gone(self) -> bool:
        """Whether the partition is gone, so that late results are dropped."""
        return self.state is PartitionState.GONE

    def enqueue(self, record: Record) -> None:
        """Keep a polled record until there is room."""
        self.polled = record.offset + 1
        self.backlog.append(record)

    def wait_until(self, due_at_ms: int) -> None:
        """Admit nothing more before this moment, in milliseconds since the epoch: the next record is not due."""
        self.due_at_ms = due_at_ms

    def add(self, flight: "Flight") -> None:
        """Add a flight to the partition."""
        self.flights[flight.record.offset] = flight

    def remove(self, flight: "Flight") -> None:
        """Remove a flight. Safe to repeat."""
        self.flights.pop(flight.record.offset, None)

    def hold_until_named(self, flight: "Flight") -> None:
        """Keep a flight until the journal names it durably."""
        self.unnamed.append(flight)

    def take_unnamed(self) -> list["Flight"]:
        """Return the flights that waited for the journal, each once."""
        taken, self.unnamed = self.unnamed, []
        return taken

    def complete(self, offset: int, outputs: Iterable[OutgoingRecord]) -> None:
        """Note that a record is done once ``outputs`` are delivered."""
        self.books.complete(offset)
        self.outputs.extend(outputs)

    def clear_outputs(self) -> None:
        """Forget the outputs: they are submitted."""
        self.outputs.clear()

    def put_back(self, outputs: Iterable[OutgoingRecord]) -> None:
        """Keep outputs again that were submitted and not delivered: they go before all others."""
        self.outputs[:0] = outputs

    def commit(self) -> Commit | None:
        """Return what to commit now; see ``Books.commit``."""
        return self.books.commit(last=self.state >= PartitionState.LEAVING)

    @property
    def is_committed(self) -> bool:
        """Whether the broker has all that would be committed now."""
        return self.books.is_committed(last=self.state >= PartitionState.LEAVING)

    def set_paused(self, *, paused: bool, at: float) -> None:
        """Note that the client has paused or resumed the partition, and when."""
        self.paused = paused
        self.pause_changed_at = at

    def rewound(self) -> None:
        """Note that the client reads from the log's beginning."""
        self.rewinding = False

    def __repr__(self) -> str:
        return f"{self.key[0]}[{self.key[1]}]#{self.epoch}"


class Flight:
    """A record in flight: from its admission until it is settled, through one attempt or several runs of it.

    ``origin`` is where the record was first read; retry topics keep it. ``bound`` is what a failed attempt had
    bound to its log lines; ``pauses`` counts its waits for a dependency that then answered the first probe.
    ``span`` is set with the job, where the record's trace is sampled; ``has_run`` once an attempt has its own.

    Written by one thread at a time: the owner until the flight is submitted, then a worker until ``end``.
    ``cancelled`` alone is written by the owner at any time.
    """

    __slots__ = (
        "_make_job",
        "attempt",
        "bound",
        "cancelled",
        "error",
        "has_run",
        "job",
        "origin",
        "outputs",
        "partition",
        "pauses",
        "record",
        "seconds",
        "settled",
        "span",
        "started",
        "taken_at",
        "weight",
    )

    def __init__(
        self,
        record: Record,
        partition: AssignedPartition,
        make_job: Callable[["Flight"], Job],
        *,
        origin: Coordinates,
        attempt: int,
        taken_at: float,
    ) -> None:
        self.record = record
        self.partition = partition
        self.origin = origin
        self.attempt = attempt
        self.taken_at = taken_at
        self.weight = NO_WEIGHT
        self.cancelled = False
        self.started = False
        self.settled = False
        self.has_run = False
        self.job: Job | None = None
        self.span: ActiveSpan | None = None
        self.outputs: Sequence[OutgoingRecord] = ()
        self.error: BaseException | None = None
        self.bound = NOTHING_BOUND
        self.pauses = 0
        self.seconds = 0.0
        self._make_job = make_job

    def as_job(self) -> Job:
        """Return the attempt as the stage sees it; always the same job, so that all of it is one span."""
        if self.job is None:
            self.job = self._make_job(self)
        return self.job

    def begin(self) -> None:
        """Note that a worker runs the attempt."""
        self.started = True
        self.error = None

    def end(
        self,
        outputs: Sequence[OutgoingRecord],
        error: BaseException | None,
        seconds: float,
        bound: Mapping[str, object] = NOTHING_BOUND,
    ) -> None:
        """Note how the attempt ended, and how long it took."""
        self.outputs = outputs
        self.error = error
        self.bound = bound
        self.seconds = seconds

    def requeue(self) -> None:
        """Note that the attempt waits for a worker. It may have run before, and waited for a service since."""
        self.started = False

    def cancel(self) -> None:
        """Ask the stage to stop. From the owner thread, at any time."""
        self.cancelled = True

    def leave(self) -> None:
        """Cancel the flight and end its span: its partition is gone, so its outcome is another process's."""
        self.cancel()
        if self.span is not None:
            self.span.set({"kascribe.outcome": "dropped"})
            self.span.end()

    def weigh(self, weight: Weight) -> None:
        """Replace the record's weight."""
        self.weight = weight

    def settle(self) -> None:
        """Note that the record is no longer in flight."""
        self.settled = True

    def count_pause(self, *, was_outage: bool) -> None:
        """Count a pause. A real outage resets it: only instant recoveries suggest that the record is at fault."""
        self.pauses = 0 if was_outage else self.pauses + 1
