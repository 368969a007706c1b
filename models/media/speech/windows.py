"""Windows: spans of speech packed to at most thirty seconds, and the mapping back to original time."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

SAMPLE_RATE_HERTZ: Final = 16_000
WINDOW_SECONDS: Final = 30
WINDOW_SAMPLES: Final = WINDOW_SECONDS * SAMPLE_RATE_HERTZ
FRAME_SAMPLES: Final = 160
"""Samples of one feature frame: a hundred frames per second."""
WINDOW_FRAMES: Final = WINDOW_SAMPLES // FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Span:
    """Samples ``start`` to ``end`` (exclusive) of the original audio at 16 kHz."""

    start: int
    end: int

    @property
    def samples(self) -> int:
        """The length in samples."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Window:
    """The model's input: spans end to end, 30 s at most.

    ``frames`` is the number of feature frames, ``offset_bytes`` where they begin in the spool. ``channel`` is None
    for mixed audio. Windows of one channel are in time order.
    """

    channel: int | None
    spans: tuple[Span, ...]
    frames: int
    offset_bytes: int

    @property
    def start_seconds(self) -> float:
        """Start of the first span in the original audio."""
        return self.spans[0].start / SAMPLE_RATE_HERTZ

    @property
    def end_seconds(self) -> float:
        """End of the last span in the original audio."""
        return self.spans[-1].end / SAMPLE_RATE_HERTZ

    @property
    def duration_seconds(self) -> float:
        """Seconds of audio in the window, without the gaps between its spans."""
        return sum(span.samples for span in self.spans) / SAMPLE_RATE_HERTZ


@dataclass(frozen=True, slots=True)
class TimeMap:
    """Mapping of seconds within a window to seconds of the original audio."""

    spans: tuple[Span, ...]

    @property
    def duration_seconds(self) -> float:
        """Seconds of audio within the window."""
        return sum(span.samples for span in self.spans) / SAMPLE_RATE_HERTZ

    @property
    def joints_seconds(self) -> tuple[float, ...]:
        """Where one span ends and the next begins, in seconds within the window."""
        ends = accumulate(span.samples for span in self.spans[:-1])
        return tuple(end / SAMPLE_RATE_HERTZ for end in ends)

    def interval(
        self, start_seconds: float, end_seconds: float, *, inside_seconds: float | None = None
    ) -> tuple[float, float]:
        """Map an interval; the result lies inside the one span that holds ``inside_seconds``, else its middle.

        So a word never extends over a silence that the window omits.
        """
        ends = list(accumulate(span.samples for span in self.spans))
        if inside_seconds is None:
            inside_seconds = (start_seconds + end_seconds) / 2
        inside = inside_seconds * SAMPLE_RATE_HERTZ
        index = next((place for place, end in enumerate(ends) if inside < end), len(ends) - 1)
        span = self.spans[index]
        shift = span.start - (ends[index] - span.samples)

        def original(seconds: float) -> float:
            sample = seconds * SAMPLE_RATE_HERTZ + shift
            return min(max(sample, span.start), span.end) / SAMPLE_RATE_HERTZ

        return original(start_seconds), original(end_seconds)
