"""Intervals of whole milliseconds that all last: what words, segments and cues are timed with. Pure."""

from collections.abc import Iterable
from typing import Final

SHORTEST_MS: Final = 1
"""WebVTT requires an end after the start, and editors drop what lasts no time."""

Interval = tuple[int, int]


def milliseconds(start_seconds: float, end_seconds: float) -> Interval:
    """The nearest whole milliseconds."""
    return round(start_seconds * 1000), round(end_seconds * 1000)


def lengthen(intervals: Iterable[Interval]) -> list[Interval]:
    """The same intervals in their order, each of a millisecond at least, none beginning before the one before it.

    One that begins where the one before ended is pushed as far as that grew, so lengthening makes no overlap;
    intervals that overlap by themselves still do.
    """
    kept: list[Interval] = []
    begins = ended = reached = 0
    for start, end in intervals:
        begins = max(start, reached if start >= ended else begins)
        ended, reached = max(start, end), max(end, begins + SHORTEST_MS)
        kept.append((begins, reached))
    return kept
