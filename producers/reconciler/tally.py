"""What a run found and did."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one listed object."""

    OWN = "own"
    """Kascribe stored it itself."""
    FOLDER = "folder"
    """A folder's marker."""
    GONE = "gone"
    """Deleted or overwritten."""
    TOO_YOUNG = "too_young"
    """Its notification may still come."""
    KNOWN = "known"
    """Its job has ended, or it was accepted."""
    WITHHELD = "withheld"
    """Its job was cancelled."""
    UNREADABLE = "unreadable"
    """These credentials may not read its metadata."""
    PUBLISHED = "published"
    REFUSED = "refused"
    """Published too, for the failure that says which options are invalid."""


ALWAYS_TOLD = (Outcome.OWN, Outcome.TOO_YOUNG, Outcome.KNOWN, Outcome.PUBLISHED, Outcome.REFUSED)


@dataclass(slots=True)
class Tally:
    """Objects by outcome."""

    counts: Counter[Outcome] = field(default_factory=Counter)

    def add(self, outcome: Outcome, objects: int = 1) -> None:
        """Count objects."""
        self.counts[outcome] += objects

    def add_each(self, outcomes: Iterable[Outcome]) -> None:
        """Count one object for each."""
        self.counts.update(outcomes)

    @property
    def seen(self) -> int:
        """All objects that were looked at."""
        return self.counts.total()

    def sentence(self) -> str:
        """Return the summary for people: some counts always, the others where there are any."""
        told = [each for each in Outcome if each in ALWAYS_TOLD or self.counts[each]]
        return f"{self.seen} seen: " + ", ".join(f"{self.counts[each]} {_words(each)}" for each in told)

    def as_document(self) -> Mapping[str, int]:
        """Return the summary for machines."""
        return {"seen": self.seen, **{each.value: self.counts[each] for each in Outcome}}


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")
