"""A recording's own clock: the silence to insert before each frame so that later words keep their times."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

HOLE_FRAMES: Final = 0.5
"""Shortest gap, in lengths of the frame after it: a lost frame leaves at least 1. Less is rounding or jitter."""
HOLE_TICKS: Final = 2.0
"""Shortest gap, in ticks: Matroska and FLV count milliseconds, which is as long as Vorbis's shortest frames."""
LOOKAHEAD_SECONDS: Final = 1.0
"""Sound after a jump in which the clock must not revert it: late timestamps do, within less."""
RESTART_SECONDS: Final = 0.5
"""A clock that goes back further has restarted; less is overlap of recordings, or jitter."""
GAP_SECONDS_LIMIT: Final = 4 * 3600.0
"""A longer jump means a broken clock, not a recorder that paused."""
GAP_SECONDS_LIMIT_BROADCAST: Final = 300.0
"""Where the format permits a change of clocks (MPEG-TS and similar), a longer jump is such a restart."""


@dataclass(slots=True)
class TimedFrame:
    """A decoded frame, with the silence to insert before it. ``suspect``: what precedes it was damaged."""

    frame: Any
    silence_seconds: float = 0.0
    suspect: bool = False

    @property
    def seconds(self) -> float:
        """The length of its sound."""
        return float(self.frame.samples / self.frame.sample_rate)


class Timeline:
    """Compares the times of consecutive frames with the samples received, from one clock's start to its end.

    ``starts_seconds`` is where the stream begins; None takes the first frame's time. A jump longer than
    ``limit_seconds`` is not filled: the timeline continues from the new time.
    """

    def __init__(self, starts_seconds: float | None = None, *, limit_seconds: float = GAP_SECONDS_LIMIT) -> None:
        self._due = starts_seconds  # by the samples and the silence so far
        self._ends = starts_seconds  # of the frame before, by its own time
        self._limit_seconds = limit_seconds
        self.silence_seconds = 0.0
        """Silence inserted so far."""
        self.skipped_seconds = 0.0
        """Forward jumps of the clock that were not filled."""
        self.damaged_seconds = 0.0
        """Silence inserted where the container or the decoder reported damage: sound was lost there."""

    def fill_gaps(self, frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
        """Yield the frames with their silence set. Reads about a second ahead."""
        held: deque[TimedFrame] = deque()
        held_seconds = 0.0
        for frame in frames:
            held.append(frame)
            held_seconds += frame.seconds
            while held_seconds - held[0].seconds >= LOOKAHEAD_SECONDS:
                held_seconds -= held[0].seconds
                yield self._place(held)
        while held:
            yield self._place(held)

    def _place(self, held: deque[TimedFrame]) -> TimedFrame:
        timed = held.popleft()
        at = timed.frame.time
        if self._due is None or self._ends is None:
            self._due = self._ends = at or 0.0
        at = self._ends if at is None else at
        silence = self._silence_seconds(timed, at, at - self._due, at - self._ends, held)
        if silence is None:
            self.skipped_seconds += max(0.0, at - self._due)
            self._due, silence = at, 0.0
        timed.silence_seconds = silence
        self.silence_seconds += silence
        if timed.suspect:
            self.damaged_seconds += silence
        self._ends = at + timed.seconds
        self._due += silence + timed.seconds
        return timed

    def _silence_seconds(
        self, timed: TimedFrame, at: float, lag: float, hole: float, following: Iterable[TimedFrame]
    ) -> float | None:
        """Return the silence before a frame; None where the clock has restarted."""
        least = max(HOLE_FRAMES * timed.seconds, HOLE_TICKS * float(timed.frame.time_base or 0))
        if abs(hole) <= least:
            return 0.0
        later = tuple(_lags(following, due=at - lag + timed.seconds))
        # A second jump, forward or backward, is no evidence about this one: stop before it.
        if hole < 0:
            until_gap = takewhile(lambda other: other <= RESTART_SECONDS, later)
            return None if max((lag, *until_gap)) < -RESTART_SECONDS else 0.0
        lasting = min((lag, *takewhile(lambda other: other >= -RESTART_SECONDS, later)))
        if lasting <= least or (not later and lag < RESTART_SECONDS):
            return 0.0
        return lasting if lasting <= self._limit_seconds else None


def _lags(frames: Iterable[TimedFrame], *, due: float) -> Iterator[float]:
    """Yield how far the samples of each frame would lag behind the clock if no silence were inserted."""
    for timed in frames:
        if timed.frame.time is not None:
            yield timed.frame.time - due
        due += timed.seconds
