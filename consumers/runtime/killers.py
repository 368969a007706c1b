"""Records that kill their process: found by what they leave behind, and set aside.

A process that is killed cannot say which record did it, so what it would say is written before: the **journal**,
a few characters after the gap map in the commit's metadata. It is durable with the commit, and it moves with the
partition to whichever machine takes it over.

- While a partition is held, its journal says so (``o``, open) and by whom. Letting go commits an empty journal, or
  one that only remembers whom to suspect (``c``, closed): nobody has died, and what was known stays known.
- Who takes over an open partition knows that its holder died, not why. For as many records as can have been in
  flight it is **wary**: every record counts one death already, and is named in the journal before it runs.
- A process that finds its own name lost the partition for a while, because the group missed its heartbeats: nobody
  has died.
- Every record that is named as running when the process dies counts one more. One death before the limit a record
  runs **alone**, with nothing else in flight in the process, so an innocent neighbour completes there and the
  killer is proven. At the limit it is not run any more.

The price, outside of wariness, is one commit per assignment of a partition.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from consumers.runtime.commit_metadata import SEPARATOR, CommitMetadata

__all__ = ["SEPARATOR", "Caution", "Journal", "new_holder", "without_journal"]

NAMED_RECORDS_LIMIT: Final = 8
"""Records of one partition that run at once while it is wary: its names have to fit."""

JOURNAL_CHARACTERS_LIMIT: Final = 90
"""The gap map has 4,000 of the 4,095 characters that a broker takes; the journal lives in what is left."""

HOLDER_CHARACTERS: Final = 4
"""Of the holder's name, drawn at random: one in a million that two processes share it, which delays a verdict."""

PROOF_DEATHS: Final = 2
"""The first death names nobody, so no limit is below two."""

_OPEN: Final = "o"
_WARY: Final = "w"
_CLOSED: Final = "c"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_holder(random_choice: Callable[[str], str] = secrets.choice) -> str:
    """A name for this process."""
    return "".join(random_choice(_DIGITS) for _ in range(HOLDER_CHARACTERS))


class Caution(Enum):
    """How a record may be run."""

    TOGETHER = "together"
    ALONE = "alone"
    SET_ASIDE = "set_aside"


@dataclass(slots=True)
class _Suspect:
    deaths: int
    running: bool


class Journal:
    """The journal of one partition, from its assignment on. Pure; one thread's.

    ``predecessor`` is the journal in the commit's metadata, ``offset`` that commit's offset, ``holder`` names
    this process. ``wary_records`` is how many records the predecessor can have had in flight, ``limit`` the deaths
    after which a record is set aside.
    """

    def __init__(self, predecessor: str, *, holder: str, offset: int, wary_records: int, limit: int) -> None:
        state, named, names = (
            predecessor[:1],
            predecessor[1 : 1 + HOLDER_CHARACTERS],
            predecessor[1 + HOLDER_CHARACTERS :],
        )
        self.found_open = state in (_OPEN, _WARY) and state != "" and named != holder
        self._holder = holder
        self._limit = max(PROOF_DEATHS, limit)
        self._wary_left = wary_records if self.found_open else 0
        named_states = (_WARY, _CLOSED)
        self._suspects = _read_suspects(names, offset, died=self.found_open) if state in named_states else {}
        # Counts what has to be durable: what was asked for, what the commit under way holds, what is confirmed.
        self._wanted = 1
        self._submitted = 0
        self._confirmed = 0

    @classmethod
    def of_metadata(cls, metadata: str | None, *, holder: str, offset: int, wary_records: int, limit: int) -> Self:
        """The journal that continues what a commit's metadata says."""
        journal = CommitMetadata.read(metadata).journal
        return cls(journal, holder=holder, offset=offset, wary_records=wary_records, limit=limit)

    def deaths(self, offset: int) -> int:
        """How many processes died while this record was, or may have been, running."""
        suspect = self._suspects.get(offset)
        if suspect is not None:
            return suspect.deaths
        return 1 if self._wary_left else 0

    def caution(self, offset: int) -> Caution:
        """How the record may be run."""
        deaths = self.deaths(offset)
        if deaths >= self._limit:
            return Caution.SET_ASIDE
        return Caution.ALONE if deaths >= self._limit - 1 else Caution.TOGETHER

    def has_room(self) -> bool:
        """Whether one more record may be named; always, while nobody has to be."""
        running = sum(suspect.running for suspect in self._suspects.values())
        return not self._wary_left or running < NAMED_RECORDS_LIMIT

    def start(self, offset: int) -> None:
        """Notes that the record is about to run. It may not before ``is_durable``."""
        if offset in self._suspects:
            self._suspects[offset].running = True
        elif self._wary_left:
            self._suspects[offset] = _Suspect(self.deaths(offset), running=True)
        else:
            return
        self._wary_left = max(0, self._wary_left - 1)
        self._wanted += 1

    def ended(self, offset: int) -> None:
        """Notes that the record runs no more; a later death is not its doing."""
        if offset in self._suspects:
            self._suspects[offset].running = False

    def settle(self, offset: int) -> None:
        """Notes that the record is complete. Its name leaves the journal with the next commit."""
        self._suspects.pop(offset, None)

    @property
    def is_durable(self) -> bool:
        """Whether everything that is running is named where a successor will read it."""
        return self._confirmed == self._wanted

    @property
    def wants_commit(self) -> bool:
        """Whether something waits for a commit that nobody has submitted."""
        return self._submitted != self._wanted

    def submitted(self) -> None:
        """Notes that the current text is on its way."""
        self._submitted = self._wanted

    def committed(self) -> None:
        """Notes that the text submitted last was confirmed."""
        self._confirmed = self._submitted

    def failed(self) -> None:
        """Notes that the text submitted last did not get through."""
        self._submitted = self._confirmed

    def text(self, offset: int) -> str:
        """What goes into the metadata of a commit of ``offset``, at or below every record named."""
        if not self._suspects:
            return _OPEN + self._holder
        return _WARY + self._holder + self._names(offset)

    def farewell(self, offset: int) -> str:
        """The same for the commit with which the partition is let go; empty when nobody is suspected."""
        names = self._names(offset)
        return _CLOSED + self._holder + names if names else ""

    def _names(self, offset: int) -> str:
        names = [
            f"{_base36(named - offset)}{'+' if suspect.running else '-'}{suspect.deaths}"
            for named, suspect in sorted(self._suspects.items(), key=_running_first)
            if named >= offset
        ]
        # A name that is left off counts as unnamed: one death less, never a wrong one.
        while len(names) > 1 and sum(map(len, names)) + len(names) > JOURNAL_CHARACTERS_LIMIT - HOLDER_CHARACTERS:
            names.pop()
        return ",".join(names)


def without_journal(metadata: str | None) -> str:
    """The gap map's part of a commit's metadata."""
    return CommitMetadata.read(metadata).gap_map


def _running_first(named: tuple[int, _Suspect]) -> tuple[bool, int, int]:
    offset, suspect = named
    return (not suspect.running, -suspect.deaths, offset)


def _read_suspects(names: str, offset: int, *, died: bool) -> dict[int, _Suspect]:
    """Never raises: a name that cannot be read is left out, its record counts as unnamed."""
    suspects = {}
    for name in names.split(","):
        delta, running, deaths = name.partition("+") if "+" in name else name.partition("-")
        if delta.isalnum() and delta.isascii() and deaths.isdecimal():
            suspects[offset + int(delta, 36)] = _Suspect(int(deaths) + (died and running == "+"), running=False)
    return suspects


def _base36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
