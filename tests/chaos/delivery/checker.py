"""What a run shows: records lost, doubled or given up, and commits that went back. Pure.

The kinds of findings are those of Jepsen's queue workload that apply to a consumer: lost writes, duplicates, and
stale owners' writes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Position = tuple[str, int, int]
"""Topic, partition and committed offset."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Values by what became of them; all empty in a good run. ``went_back`` has the offset before and after."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    went_back: tuple[tuple[str, int, int, int], ...] = ()

    def are_bad(self, *, may_double: bool) -> bool:
        """Return whether the promise is broken; at least once may double."""
        doubled = self.doubled and not may_double
        return bool(self.lost or doubled or self.strangers or self.dead or self.went_back)

    def counts(self) -> Mapping[str, int]:
        """Return how many of each kind there are."""
        return {
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "strangers": len(self.strangers),
            "dead": len(self.dead),
            "went back": len(self.went_back),
        }


def check(
    *, published: Iterable[str], read: Iterable[str], dead: Iterable[str], commits: Iterable[Position]
) -> Findings:
    """Compare what was published with what a reader of committed records saw.

    ``strangers`` are values that were never published, such as the failure of a record. ``commits`` are samples in
    the order in which they were taken; a committed offset never decreases while one group owns it.
    """
    wanted = set(published)
    seen = Counter(read)
    letters = sorted(set(dead))
    highest: dict[tuple[str, int], int] = {}
    went_back = []
    for topic, partition, offset in commits:
        before = highest.get((topic, partition), 0)
        if offset < before:
            went_back.append((topic, partition, before, offset))
        highest[topic, partition] = max(before, offset)
    return Findings(
        lost=tuple(sorted(wanted - seen.keys() - set(letters))),
        doubled=tuple(sorted(value for value, count in seen.items() if count > 1)),
        strangers=tuple(sorted(seen.keys() - wanted)),
        dead=tuple(letters),
        went_back=tuple(went_back),
    )
