"""Intervals of whole milliseconds, none of zero length: the times of words, segments and cues. Pure."""

from collections.abc import Iterable
from typing import Final

SHORTEST_MS: Final = 1
"""WebVTT requires an end after the start, and editors drop intervals of zero length."""

Interval = tuple[int, int]


def milliseconds(start_seconds: float, end_seconds: float) -> Interval:
    """Round seconds to whole milliseconds."""
    return round(start_seconds * 1000), round(end_seconds * 1000)


def lengthen(intervals: Iterable[Interval]) -> list[Interval]:
    """Lengthen intervals to at least a millisecond; keep their order, so that none begins before its predecessor.

    An interval that begins where its predecessor ended is moved by the growth of the predecessor, so lengthening
    creates no overlap; intervals that already overlap still do.
    """
    kept: list[Interval] = []
    begins = ended = reached = 0
    for start, end in intervals:
        begins = max(start, reached if start >= ended else begins)
        ended, reached = max(start, end), max(end, begins + SHORTEST_MS)
        kept.append((begins, reached))
    return kept
