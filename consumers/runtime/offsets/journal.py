"""The journal: finds records that crash their process, so that they can be set aside.

A killed process cannot report which record killed it, so that is written in advance: the **journal**, a few
characters after the gap map in the commit's metadata. It is durable with the commit, and moves with the partition
to its next holder on whichever machine.

- While a partition is held, its journal says so (``o``, open) and names the holder. Releasing the partition
  commits an empty journal, or one that only lists suspects (``c``, closed): no process crashed, and what was known
  is kept.
- A process that takes over an open partition knows that the holder is gone, but not why. For as many records as
  can have been in flight it is **wary**: every record counts one crash already, and is named in the journal before
  it runs.
- A holder that was only suspended, or cut off from the broker, has not crashed. A process that finds its own name
  had lost the partition for a while; one that finds the name of a process that is alive on its machine
  (``execution/holder.py``) took the partition from it. Neither counts. On another machine such a holder cannot be
  told from a dead one.
- When a process crashes, every record named as running counts one more. From its second crash on (its first, if
  the limit is the lowest) a record runs **alone**, with nothing else in flight in the process, so that an innocent
  neighbour completes. A record that crashed a process while alone rests before it runs alone again: crashes with
  another cause then happen without it.
- A record is set aside when its crashes reach the limit and ``CRASHES_ALONE_MINIMUM`` of them happened while it
  ran alone.

While not wary, a partition costs one additional commit per assignment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

NAMED_RECORDS_LIMIT: Final = 8
"""Records of one partition that run at once while it is wary: their names have to fit."""

JOURNAL_CHARACTERS_LIMIT: Final = 90
"""The gap map has 4,000 of the 4,095 characters that a broker takes; the journal lives in what is left."""

HOLDER_CHARACTERS: Final = 4
"""Length of a holder's name, drawn at random: two are equal once in a million, which delays a decision."""

CRASHES_ALONE_MINIMUM: Final = 2
"""Before a record is set aside. A single crash may have another cause, such as a node that goes down."""

CRASH_LIMIT_MINIMUM: Final = CRASHES_ALONE_MINIMUM + 1
"""The first crash names no record."""

CRASHES_TOGETHER_LIMIT: Final = 2
"""From this many crashes on a record runs alone: the first names no record, and most crashes stay the only one."""

_OPEN: Final = "o"
_WARY: Final = "w"
_CLOSED: Final = "c"
_WAITS: Final = "-"
_RUNS: Final = "+"
_RUNS_ALONE: Final = "!"
_NAME: Final = re.compile(r"([0-9a-z]+)([-+!])([0-9]{1,4})(?:[.]([0-9]{1,4}))?")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Caution(Enum):
    """How a record may run."""

    TOGETHER = "together"
    ALONE = "alone"
    ALONE_AFTER_REST = "alone_after_rest"
    SET_ASIDE = "set_aside"


@dataclass(slots=True)
class _Suspect:
    """A record named in the journal. ``mark`` says whether it runs, and how."""

    crash_count: int
    crashes_alone: int = 0
    mark: str = _WAITS


class Journal:
    """The journal of one partition, from its assignment on. Pure; not thread-safe.

    ``predecessor`` is the journal in the commit's metadata, ``offset`` that commit's offset, ``holder`` the name
    of this process. ``wary_records`` is how many records the predecessor can have had in flight, ``crash_limit``
    after how many crashes a record is set aside. ``is_alive`` returns whether a holder is known to be alive.
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
        names_at = 1 + HOLDER_CHARACTERS
        state, former, names = predecessor[:1], predecessor[1:names_at], predecessor[names_at:]
        self.predecessor_crashed = state in {_OPEN, _WARY} and former != holder and not is_alive(former)
        self._holder = holder
        self._limit = max(CRASH_LIMIT_MINIMUM, crash_limit)
        self._wary_left = wary_records if self.predecessor_crashed else 0
        has_names = state in {_WARY, _CLOSED}
        self._suspects = _read_suspects(names, offset, crashed=self.predecessor_crashed) if has_names else {}
        # Versions of the text: the one that has to be durable, the one last submitted, the one last confirmed.
        self._wanted = 1
        self._submitted = 0
        self._confirmed = 0

    def crash_count(self, offset: int) -> int:
        """Return how many processes crashed while this record was, or may have been, running."""
        suspect = self._suspects.get(offset)
        if suspect is not None:
            return suspect.crash_count
        return 1 if self._wary_left else 0

    def crashes_alone(self, offset: int) -> int:
        """Return how many of them crashed while nothing else was running."""
        suspect = self._suspects.get(offset)
        return suspect.crashes_alone if suspect else 0

    def caution(self, offset: int) -> Caution:
        """Return how the record may run."""
        crashes, alone = self.crash_count(offset), self.crashes_alone(offset)
        if crashes >= self._limit and alone >= CRASHES_ALONE_MINIMUM:
            return Caution.SET_ASIDE
        if alone:
            return Caution.ALONE_AFTER_REST
        return (
            Caution.ALONE
            if crashes >= min(CRASHES_TOGETHER_LIMIT, self._limit - CRASHES_ALONE_MINIMUM)
            else Caution.TOGETHER
        )

    def has_room(self) -> bool:
        """Return whether one more record may run; always true once records run without being named."""
        running = sum(suspect.mark != _WAITS for suspect in self._suspects.values())
        return not self._wary_left or running < NAMED_RECORDS_LIMIT

    def start(self, offset: int, *, alone: bool = False) -> None:
        """Name the record as running. The caller runs it only once ``is_durable``."""
        suspect = self._suspects.get(offset)
        if suspect is None:
            if not self._wary_left:
                return
            suspect = self._suspects[offset] = _Suspect(self.crash_count(offset))
        suspect.mark = _RUNS_ALONE if alone else _RUNS
        self._wary_left = max(0, self._wary_left - 1)
        self._wanted += 1

    def stop(self, offset: int) -> None:
        """Note that the record no longer runs; a later crash does not count for it."""
        if offset in self._suspects:
            self._suspects[offset].mark = _WAITS

    def complete(self, offset: int) -> None:
        """Forget a record that is complete. Its name leaves the journal with the next commit."""
        self._suspects.pop(offset, None)

    @property
    def is_durable(self) -> bool:
        """Whether every running record is named in a confirmed commit, where a successor will read it."""
        return self._confirmed == self._wanted

    @property
    def needs_commit(self) -> bool:
        """Whether the text has changed since it was last submitted."""
        return self._submitted != self._wanted

    def on_submitted(self) -> None:
        """Note that the current text is on its way to the broker."""
        self._submitted = self._wanted

    def on_confirmed(self) -> None:
        """Note that the broker confirmed the text submitted last."""
        self._confirmed = self._submitted

    def on_failed(self) -> None:
        """Note that the commit of the text submitted last failed."""
        self._submitted = self._confirmed

    def text(self, offset: int) -> str:
        """Return the text for a commit of ``offset``, which is at or below every record named."""
        if not self._suspects:
            return _OPEN + self._holder
        return _WARY + self._holder + self._names(offset)

    def final_text(self, offset: int) -> str:
        """Return the text for the commit that releases the partition; empty without suspects."""
        names = self._names(offset)
        return _CLOSED + self._holder + names if names else ""

    def _names(self, offset: int) -> str:
        names = [
            _name(named - offset, suspect)
            for named, suspect in sorted(self._suspects.items(), key=_most_suspicious_first)
            if named >= offset
        ]
        # A record whose name is left off counts too few crashes, never too many.
        while len(names) > 1 and sum(map(len, names)) + len(names) > JOURNAL_CHARACTERS_LIMIT - HOLDER_CHARACTERS:
            names.pop()
        return ",".join(names)


def _most_suspicious_first(named: tuple[int, _Suspect]) -> tuple[int, bool, int, int]:
    offset, suspect = named
    return (-suspect.crashes_alone, suspect.mark == _WAITS, -suspect.crash_count, offset)


def _name(distance: int, suspect: _Suspect) -> str:
    alone = f".{suspect.crashes_alone}" if suspect.crashes_alone else ""
    return f"{_base36(distance)}{suspect.mark}{suspect.crash_count}{alone}"


def _read_suspects(names: str, offset: int, *, crashed: bool) -> dict[int, _Suspect]:
    """Parse names; never raises. A name that cannot be read is left out, so its record counts as unnamed."""
    suspects = {}
    for name in names.split(","):
        if match := _NAME.fullmatch(name):
            distance, mark, crash_count, crashes_alone = match.groups()
            suspects[offset + int(distance, 36)] = _Suspect(
                int(crash_count) + (crashed and mark != _WAITS),
                int(crashes_alone or 0) + (crashed and mark == _RUNS_ALONE),
            )
    return suspects


def _base36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
