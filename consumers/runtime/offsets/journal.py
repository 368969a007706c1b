"""Records that kill their process: found by what they leave behind, and set aside.

A process that is killed cannot say which record did it, so what it would say is written before: the **journal**,
a few characters after the gap map in the commit's metadata. It is durable with the commit, and it moves with the
partition to whichever machine takes it over.

- While a partition is held, its journal says so (``o``, open) and by whom. Letting go commits an empty journal, or
  one that only remembers whom to suspect (``c``, closed): nobody has died, and what was known stays known.
- Who takes over an open partition knows that its holder is gone, not why. For as many records as can have been in
  flight it is **wary**: every record counts one end already, and is named in the journal before it runs.
- A holder that was only suspended, or cut off from the broker, has not ended. A process that finds its own name
  lost the partition for a while; one that finds the name of a process that lives on its machine (``lifeline``)
  took it from there. Neither counts. From another machine such a holder cannot be told from a dead one.
- Every record that is named as running when a process ends counts one more. From its second end on (its first, if
  the limit is the lowest) a record runs **alone**, with nothing else in flight in the process, so an innocent
  neighbour completes there. A record that ended a process alone rests before it runs alone again: whatever else
  ends processes then does so without it.
- A record is not run any more when it has reached the limit, and ended ``PROOF_ENDS`` processes while alone.

The price, outside of wariness, is one commit per assignment of a partition.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from consumers.runtime.offsets.commit_metadata import SEPARATOR, CommitMetadata

__all__ = ["SEPARATOR", "Caution", "Journal", "new_holder", "without_journal"]

NAMED_RECORDS_LIMIT: Final = 8
"""Records of one partition that run at once while it is wary: its names have to fit."""

JOURNAL_CHARACTERS_LIMIT: Final = 90
"""The gap map has 4,000 of the 4,095 characters that a broker takes; the journal lives in what is left."""

HOLDER_CHARACTERS: Final = 4
"""Of the holder's name, drawn at random: one in a million that two processes share it, which delays a verdict."""

PROOF_ENDS: Final = 2
"""Of processes in which nothing else ran: one may have another cause, such as a node that goes down."""

LOWEST_LIMIT: Final = PROOF_ENDS + 1
"""The first end names nobody."""

TOGETHER_ENDS: Final = 2
"""From so many ends on a record runs alone: the first names nobody, and most ends stay the only one."""

_OPEN: Final = "o"
_WARY: Final = "w"
_CLOSED: Final = "c"
_WAITS: Final = "-"
_RUNS: Final = "+"
_RUNS_ALONE: Final = "!"
_NAME: Final = re.compile(r"([0-9a-z]+)([-+!])([0-9]{1,4})(?:[.]([0-9]{1,4}))?")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_holder(random_choice: Callable[[str], str] = secrets.choice) -> str:
    """A name for this process."""
    return "".join(random_choice(_DIGITS) for _ in range(HOLDER_CHARACTERS))


class Caution(Enum):
    """How a record may be run."""

    TOGETHER = "together"
    ALONE = "alone"
    ALONE_AFTER_REST = "alone_after_rest"
    SET_ASIDE = "set_aside"


@dataclass(slots=True)
class _Suspect:
    """``mark`` says whether it runs, and how; ``alone`` of the ``ends`` came while nothing else ran."""

    ends: int
    alone: int = 0
    mark: str = _WAITS


class Journal:
    """The journal of one partition, from its assignment on. Pure; one thread's.

    ``predecessor`` is the journal in the commit's metadata, ``offset`` that commit's offset, ``holder`` names
    this process. ``wary_records`` is how many records the predecessor can have had in flight, ``crash_limit`` the
    crashes after which a record is set aside. ``is_alive`` says whether a holder is known to live.
    """

    def __init__(
        self,
        predecessor: str,
        *,
        holder: str,
        offset: int,
        wary_records: int,
        crash_limit: int,
        is_alive: Callable[[str], bool] = lambda _holder: False,
    ) -> None:
        state, named, names = (
            predecessor[:1],
            predecessor[1 : 1 + HOLDER_CHARACTERS],
            predecessor[1 + HOLDER_CHARACTERS :],
        )
        self.predecessor_crashed = state in {_OPEN, _WARY} and named != holder and not is_alive(named)
        self._holder = holder
        self._limit = max(LOWEST_LIMIT, crash_limit)
        self._wary_left = wary_records if self.predecessor_crashed else 0
        named_states = (_WARY, _CLOSED)
        self._suspects = (
            _read_suspects(names, offset, ended=self.predecessor_crashed) if state in named_states else {}
        )
        # Counts what has to be durable: what was asked for, what the commit under way holds, what is confirmed.
        self._wanted = 1
        self._submitted = 0
        self._confirmed = 0

    @classmethod
    def from_metadata(
        cls,
        metadata: str | None,
        *,
        holder: str,
        offset: int,
        wary_records: int,
        crash_limit: int,
        is_alive: Callable[[str], bool] = lambda _holder: False,
    ) -> Self:
        """The journal that continues what a commit's metadata says."""
        journal = CommitMetadata.read(metadata).journal
        return cls(
            journal,
            holder=holder,
            offset=offset,
            wary_records=wary_records,
            crash_limit=crash_limit,
            is_alive=is_alive,
        )

    def crash_count(self, offset: int) -> int:
        """How many processes ended while this record was, or may have been, running."""
        suspect = self._suspects.get(offset)
        if suspect is not None:
            return suspect.ends
        return 1 if self._wary_left else 0

    def crashes_alone(self, offset: int) -> int:
        """How many of them ended while nothing else was running."""
        suspect = self._suspects.get(offset)
        return suspect.alone if suspect else 0

    def caution(self, offset: int) -> Caution:
        """How the record may be run."""
        ends, alone = self.crash_count(offset), self.crashes_alone(offset)
        if ends >= self._limit and alone >= PROOF_ENDS:
            return Caution.SET_ASIDE
        if alone:
            return Caution.ALONE_AFTER_REST
        return Caution.ALONE if ends >= min(TOGETHER_ENDS, self._limit - PROOF_ENDS) else Caution.TOGETHER

    def has_room(self) -> bool:
        """Whether one more record may be named; always, while nobody has to be."""
        running = sum(suspect.mark != _WAITS for suspect in self._suspects.values())
        return not self._wary_left or running < NAMED_RECORDS_LIMIT

    def start(self, offset: int, *, alone: bool = False) -> None:
        """Notes that the record is about to run. It may not before ``is_durable``."""
        suspect = self._suspects.get(offset)
        if suspect is None:
            if not self._wary_left:
                return
            suspect = self._suspects[offset] = _Suspect(self.crash_count(offset))
        suspect.mark = _RUNS_ALONE if alone else _RUNS
        self._wary_left = max(0, self._wary_left - 1)
        self._wanted += 1

    def stop(self, offset: int) -> None:
        """Notes that the record runs no more; a later end is not its doing."""
        if offset in self._suspects:
            self._suspects[offset].mark = _WAITS

    def complete(self, offset: int) -> None:
        """Notes that the record is complete. Its name leaves the journal with the next commit."""
        self._suspects.pop(offset, None)

    @property
    def is_durable(self) -> bool:
        """Whether everything that is running is named where a successor will read it."""
        return self._confirmed == self._wanted

    @property
    def needs_commit(self) -> bool:
        """Whether something waits for a commit that nobody has submitted."""
        return self._submitted != self._wanted

    def on_submitted(self) -> None:
        """Notes that the current text is on its way."""
        self._submitted = self._wanted

    def on_confirmed(self) -> None:
        """Notes that the text submitted last was confirmed."""
        self._confirmed = self._submitted

    def on_failed(self) -> None:
        """Notes that the text submitted last did not get through."""
        self._submitted = self._confirmed

    def text(self, offset: int) -> str:
        """What goes into the metadata of a commit of ``offset``, at or below every record named."""
        if not self._suspects:
            return _OPEN + self._holder
        return _WARY + self._holder + self._names(offset)

    def final_text(self, offset: int) -> str:
        """The same for the commit with which the partition is let go; empty when nobody is suspected."""
        names = self._names(offset)
        return _CLOSED + self._holder + names if names else ""

    def _names(self, offset: int) -> str:
        names = [
            f"{_base36(named - offset)}{suspect.mark}{suspect.ends}{f'.{suspect.alone}' if suspect.alone else ''}"
            for named, suspect in sorted(self._suspects.items(), key=_weightiest_first)
            if named >= offset
        ]
        # A name that is left off counts as unnamed: one death less, never a wrong one.
        while len(names) > 1 and sum(map(len, names)) + len(names) > JOURNAL_CHARACTERS_LIMIT - HOLDER_CHARACTERS:
            names.pop()
        return ",".join(names)


def without_journal(metadata: str | None) -> str:
    """The gap map's part of a commit's metadata."""
    return CommitMetadata.read(metadata).gap_map


def _weightiest_first(named: tuple[int, _Suspect]) -> tuple[int, bool, int, int]:
    offset, suspect = named
    return (-suspect.alone, suspect.mark == _WAITS, -suspect.ends, offset)


def _read_suspects(names: str, offset: int, *, ended: bool) -> dict[int, _Suspect]:
    """Never raises: a name that cannot be read is left out, its record counts as unnamed."""
    suspects = {}
    for name in names.split(","):
        if match := _NAME.fullmatch(name):
            delta, mark, ends, alone = match.groups()
            suspects[offset + int(delta, 36)] = _Suspect(
                int(ends) + (ended and mark != _WAITS), int(alone or 0) + (ended and mark == _RUNS_ALONE)
            )
    return suspects


def _base36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
