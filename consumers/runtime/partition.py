"""A partition while it is assigned to this process."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from consumers.runtime.offsets.commit_metadata import LOG_ID_CHARACTERS, SEPARATOR, CommitMetadata
from consumers.runtime.offsets.gap_map import METADATA_CHARACTERS_LIMIT
from consumers.runtime.offsets.journal import Journal, without_journal
from consumers.runtime.offsets.ledger import PartitionLedger
from schemas.kafka.delivery import Commit, Partition
from schemas.kafka.records import Record

if TYPE_CHECKING:
    from consumers.runtime.flight import Flight

NOTHING_COMMITTED: Final = Commit(-1)

GAP_MAP_CHARACTERS_LIMIT: Final = METADATA_CHARACTERS_LIMIT - LOG_ID_CHARACTERS - 2 * len(SEPARATOR)
"""Of the budget, so that the log's id fits beside it; the journal lives in the reserve above the budget."""


class AssignedPartition:
    """Everything that is known about one log of a partition, from its assignment until the partition is let go, or
    its log is replaced by another one. The owner thread's alone.

    ``epoch`` numbers the objects. ``held`` turns false when the partition or its log is gone: results that come
    later find that out in the same step that would have recorded them. ``draining`` takes nothing in any more;
    ``leaving`` commits for the last time. ``backlog`` are records polled and not taken in; ``unnamed`` are flights
    that wait for the journal to be durable. ``paused`` is None while it is not known what the client thinks.
    ``polled`` is the offset after the highest that a poll brought. ``log_id`` is the topic's id, empty while it is
    not known. ``rewinding`` until the client reads from the log's beginning: what is polled before is dropped.
    ``rests_until`` is when suspects that ended a process alone may run again.
    """

    __slots__ = (
        "backlog",
        "confirmed",
        "draining",
        "due_at_ms",
        "epoch",
        "flights",
        "held",
        "journal",
        "key",
        "leaving",
        "ledger",
        "log_id",
        "offered",
        "paused",
        "polled",
        "rests_until",
        "rewinding",
        "steered_at",
        "submitted",
        "unnamed",
    )

    def __init__(
        self,
        key: Partition,
        *,
        holder: str,
        epoch: int,
        committed: Commit | None,
        wary_records: int,
        killer_attempts: int,
        is_alive: Callable[[str], bool] = lambda _holder: False,
        log_id: str = "",
        rewinding: bool = False,
    ) -> None:
        gap_map = Commit(committed.offset, without_journal(committed.metadata)) if committed else None
        self.key = key
        self.epoch = epoch
        self.log_id = log_id
        self.rewinding = rewinding
        self.ledger = PartitionLedger(committed=gap_map, characters_limit=GAP_MAP_CHARACTERS_LIMIT)
        self.journal = Journal.from_metadata(
            committed.metadata if committed else "",
            holder=holder,
            offset=committed.offset if committed else 0,
            wary_records=wary_records,
            crash_limit=killer_attempts,
            is_alive=is_alive,
        )
        self.backlog: deque[Record] = deque()
        self.due_at_ms = 0
        self.unnamed: list[Flight] = []
        self.flights: dict[int, Flight] = {}
        self.held = True
        self.draining = False
        self.leaving = False
        self.paused: bool | None = None
        self.steered_at = 0.0
        self.polled = 0
        self.rests_until: float | None = None
        self.confirmed = committed or NOTHING_COMMITTED
        self.submitted = self.confirmed
        self.offered: set[Commit] = set()

    def commit(self) -> Commit | None:
        """What the broker should be told and has not been: offset, gap map, journal. None when there is nothing.

        The caller submits it, and answers with ``commit_confirmed`` or ``commit_failed``.
        """
        wanted = self._wanted()
        # A record that ended and began again is named as before, and still waits to hear that its name is durable.
        journal_waits = self.journal.needs_commit and not self.leaving and wanted is not NOTHING_COMMITTED
        if wanted == self.submitted and not journal_waits:
            return None
        self.submitted = wanted
        self.offered.add(wanted)
        self.journal.on_submitted()
        return wanted

    def _wanted(self) -> Commit:
        gap_map = self.ledger.commit()
        if gap_map is None:
            if self.confirmed is NOTHING_COMMITTED:
                return NOTHING_COMMITTED
            gap_map = Commit(self.confirmed.offset, without_journal(self.confirmed.metadata))
        journal = self.journal.final_text(gap_map.offset) if self.leaving else self.journal.text(gap_map.offset)
        return Commit(gap_map.offset, str(CommitMetadata(gap_map.metadata, journal, self.log_id)))

    def commit_confirmed(self, commit: Commit) -> None:
        """Notes that the broker has ``commit``. One that this object did not offer is ignored: another log did."""
        if commit not in self.offered:
            return
        self.offered.discard(commit)
        self.confirmed = commit
        self.ledger.on_confirmed(Commit(commit.offset, without_journal(commit.metadata)))
        if commit == self.submitted:
            self.journal.on_confirmed()

    def commit_failed(self, commit: Commit) -> bool:
        """Notes that ``commit`` did not get through: ``commit`` offers it again. False: another log offered it."""
        if commit not in self.offered:
            return False
        self.offered.discard(commit)
        self.submitted = self.confirmed
        self.journal.on_failed()
        return True

    @property
    def is_committed(self) -> bool:
        """Whether the broker has all that there is to tell it."""
        return self._wanted() == self.confirmed

    @property
    def commit_is_open(self) -> bool:
        """Whether a commit was submitted that neither was confirmed nor failed."""
        return self.submitted != self.confirmed

    def __repr__(self) -> str:
        return f"{self.key[0]}[{self.key[1]}]#{self.epoch}"
