"""Where a recording's own clock says that nothing was recorded: how much silence keeps later times right."""

from typing import Any

GAP_SECONDS = 0.5
"""From here on times are put right; below, a clock and a count of samples differ by themselves."""
GAP_SECONDS_LIMIT = 4 * 3600.0
"""A clock that jumps further is broken, not a recorder that paused."""
HOLE_SECONDS = 0.05
"""Between frames; where there is none, clock and samples drift apart and nothing is missing."""


class Timeline:
    """Compares the times of consecutive frames with the samples that came."""

    def __init__(self) -> None:
        self._begins: float | None = None
        self._ends = 0.0  # of the frame before, by its own time
        self._heard = 0.0  # seconds of frames and of the silence between them

    def missing_seconds(self, frame: Any, following: Any | None) -> float:
        """The silence that belongs before ``frame``; to be asked once for every frame, in their order.

        Backward jumps are ignored, and so is one that the ``following`` frame takes back.
        """
        seconds = frame.samples / frame.sample_rate
        at = self._ends if frame.time is None else frame.time
        if self._begins is None:
            self._begins = self._ends = at
        lag = at - self._begins - self._heard
        taken_back = following is not None and following.time is not None and following.time < at
        real = at - self._ends > HOLE_SECONDS and GAP_SECONDS < lag <= GAP_SECONDS_LIMIT and not taken_back
        missing = lag if real else 0.0
        self._ends = at + seconds
        self._heard += seconds + missing
        return missing
