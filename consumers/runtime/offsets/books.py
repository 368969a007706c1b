"""The books of one partition: its ledger, its journal and the id of its log, and the commits made from them."""

from collections.abc import Callable
from typing import Final

from consumers.runtime.offsets.commit_metadata import LOG_ID_CHARACTERS, SEPARATOR, CommitMetadata
from consumers.runtime.offsets.gap_map import METADATA_CHARACTERS_LIMIT
from consumers.runtime.offsets.journal import Journal
from consumers.runtime.offsets.ledger import PartitionLedger
from schemas.kafka.delivery import Commit

NOTHING_COMMITTED: Final = Commit(-1)

GAP_MAP_CHARACTERS_LIMIT: Final = METADATA_CHARACTERS_LIMIT - LOG_ID_CHARACTERS - 2 * len(SEPARATOR)
"""Share of the metadata budget; the log's id takes the rest, the journal the reserve above the budget."""


class Books:
    """The ledger and journal of one log, and the commits that the broker has of them. Pure; not thread-safe.

    ``committed`` is the predecessor's commit, None if there is none. ``holder`` names this process, ``is_alive``
    returns whether another holder is known to be alive; ``wary_records`` and ``killer_attempts`` are the
    journal's. ``log_id`` is the topic's id, empty while it is unknown. ``confirmed`` is the commit that the broker
    has, ``submitted`` the one offered last.
    """

    def __init__(
        self,
        committed: Commit | None,
        *,
        holder: str,
        wary_records: int,
        killer_attempts: int,
        is_alive: Callable[[str], bool] = lambda _holder: False,
        log_id: str = "",
    ) -> None:
        self.ledger = PartitionLedger(
            committed=_gap_map_of(committed) if committed else None, characters_limit=GAP_MAP_CHARACTERS_LIMIT
        )
        self.journal = Journal(
            CommitMetadata.read(committed.metadata).journal if committed else "",
            holder=holder,
            offset=committed.offset if committed else 0,
            wary_records=wary_records,
            crash_limit=killer_attempts,
            is_alive=is_alive,
        )
        self.log_id = log_id
        self.confirmed = committed or NOTHING_COMMITTED
        self.submitted = self.confirmed
        self._offered: set[Commit] = set()

    def learn_log_id(self, log_id: str) -> None:
        """Note the topic's id, which was not known before."""
        self.log_id = log_id

    def complete(self, offset: int) -> None:
        """Mark a record as complete. Safe to repeat."""
        self.ledger.complete(offset)
        self.journal.complete(offset)

    def commit(self, *, last: bool = False) -> Commit | None:
        """Return the offset, gap map and journal that the broker lacks; None if there is nothing to commit.

        ``last`` closes the journal: this process releases the partition. The caller submits the commit, then calls
        ``confirm`` or ``fail``.
        """
        wanted = self._wanted(last=last)
        # A record that runs again has the same name as before, but still waits until that is durable.
        journal_waits = self.journal.needs_commit and not last and wanted is not NOTHING_COMMITTED
        if wanted == self.submitted and not journal_waits:
            return None
        self.submitted = wanted
        self._offered.add(wanted)
        self.journal.on_submitted()
        return wanted

    def confirm(self, commit: Commit) -> None:
        """Note that the broker has ``commit``. One that these books did not offer is ignored: another log did."""
        if commit not in self._offered:
            return
        self._offered.discard(commit)
        self.confirmed = commit
        self.ledger.on_confirmed(_gap_map_of(commit))
        if commit == self.submitted:
            self.journal.on_confirmed()

    def fail(self, commit: Commit) -> bool:
        """Note that ``commit`` failed, so that it is offered again. False: another log offered it."""
        if commit not in self._offered:
            return False
        self._offered.discard(commit)
        self.submitted = self.confirmed
        self.journal.on_failed()
        return True

    def is_committed(self, *, last: bool = False) -> bool:
        """Return whether the broker has all that would be committed now."""
        return self._wanted(last=last) == self.confirmed

    @property
    def commit_is_open(self) -> bool:
        """Whether a commit was submitted that has neither been confirmed nor failed."""
        return self.submitted != self.confirmed

    def _wanted(self, *, last: bool) -> Commit:
        gap_map = self.ledger.commit()
        if gap_map is None:
            if self.confirmed is NOTHING_COMMITTED:
                return NOTHING_COMMITTED
            gap_map = _gap_map_of(self.confirmed)
        journal = self.journal.final_text(gap_map.offset) if last else self.journal.text(gap_map.offset)
        return Commit(gap_map.offset, str(CommitMetadata(gap_map.metadata, journal, self.log_id)))


def _gap_map_of(commit: Commit) -> Commit:
    """Return the commit as the ledger made it: its metadata is the gap map alone."""
    return Commit(commit.offset, CommitMetadata.read(commit.metadata).gap_map)
