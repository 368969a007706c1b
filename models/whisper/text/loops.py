"""Loops in decoded text: a run of tokens that the model wrote over and over."""

from collections.abc import Sequence
from typing import Final

OCCURRENCES: Final = 3
"""Consecutive occurrences from which a run is a loop."""
REPEATED_TOKENS: Final = 8
"""Tokens that a loop writes again, at least: "no, no, no" stands."""


def without_loops(tokens: Sequence[int]) -> tuple[int, ...]:
    """Return the tokens with each loop cut to its first occurrence; the text before and after it stands."""
    kept = tuple(tokens)
    while (loop := _longest_loop(kept)) is not None:
        first, period, repeated = loop
        end = first + period + repeated
        # Text that follows a loop continues from where the last occurrence broke off.
        whole = repeated if end == len(kept) else repeated - repeated % period
        kept = kept[: first + period] + kept[first + period + whole :]
    return kept


def _longest_loop(tokens: Sequence[int]) -> tuple[int, int, int] | None:
    """Return start, period and repeated tokens of the longest loop, the shortest period first; None without."""
    longest: tuple[int, int, int] | None = None
    for period in range(1, len(tokens) // OCCURRENCES + 1):
        needed = max((OCCURRENCES - 1) * period, REPEATED_TOKENS)
        repeated = 0
        for place in range(len(tokens) - period):
            repeated = repeated + 1 if tokens[place] == tokens[place + period] else 0
            if repeated >= needed and (longest is None or repeated > longest[2]):
                longest = (place + 1 - repeated, period, repeated)
    return longest
