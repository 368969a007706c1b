"""Citations: claims without one, and claims that share too few words with the segments that they cite."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.vllm.doubts.claims import CHAPTER_SEGMENTS, CitedClaim
from models.vllm.doubts.words import fold, script_of, units, units_of

UNSUPPORTED_BELOW: Final = 0.1
"""Share of a claim's words that the cited segments hold at least. Synonyms do not count."""
WEAK_BELOW: Final = 0.35
"""A claim of which the cited segments hold less is in doubt when other segments hold ``BETTER_BY`` more."""
BETTER_BY: Final = 0.3
LEAST_UNITS: Final = 2
"""Shorter claims are not compared."""
NEIGHBOURS: Final = 1
"""Segments before and after a cited one that count as cited: sentences run on."""


@dataclass(frozen=True, slots=True)
class SpokenUnits:
    """What each segment says, in the order of the recording."""

    order: dict[int, int]
    """Position by segment id."""
    units: Sequence[frozenset[str]]
    script: str | None

    @classmethod
    def of(cls, segments: Sequence[tuple[int, Sequence[str]]], script: str | None) -> "SpokenUnits":
        """Index segments, given as ids and tokens."""
        order = {number: at for at, (number, _) in enumerate(segments)}
        return cls(order, [units_of(words) for _, words in segments], script)

    def around(self, claim: CitedClaim) -> frozenset[str]:
        """Return what the cited segments and their neighbours say, and for a chapter all of it."""
        found: set[str] = set()
        for number in claim.cited:
            at = self.order.get(number)
            if at is None:
                continue
            first, last = max(at - NEIGHBOURS, 0), at + NEIGHBOURS
            if claim.is_chapter:
                following = self.order.get(
                    claim.next_cited if claim.next_cited is not None else -1, len(self.units)
                )
                last = max(last, min(following, at + CHAPTER_SEGMENTS))
            found.update(*self.units[first : last + 1])
        return frozenset(found)

    def best_share(self, said: frozenset[str]) -> float:
        """Return the largest share of a claim that any segment holds, its neighbours included."""
        held = [len(said & one) for one in self.units]
        return max(
            (sum(held[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS + 1]) for at in range(len(held))), default=0
        ) / len(said)


def doubtful_citation(
    claim: CitedClaim, spoken: SpokenUnits, *, compares_words: bool = True
) -> tuple[bool, str] | None:
    """Return whether a claim has a citation, and what it lacks; None for a claim that nothing speaks against.

    Without ``compares_words``, or in another script than the transcript's, only the presence counts.
    """
    if not claim.cited:
        return False, "cites no segment"
    text = fold(" ".join(claim.texts))
    said = units(text)
    if not compares_words or len(said) < LEAST_UNITS or script_of(text) != spoken.script:
        return None
    share = len(said & spoken.around(claim)) / len(said)
    if share < UNSUPPORTED_BELOW or (share < WEAK_BELOW and spoken.best_share(said) >= share + BETTER_BY):
        return True, f"segments {_listed(claim.cited)} hold {share:.0%} of its words"
    return None


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:4]))
    return f"{shown} and others" if len(numbers) > 4 else shown
