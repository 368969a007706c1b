"""Windows: stretches of speech packed to at most thirty seconds, and the way back to the original time."""

from dataclasses import dataclass
from itertools import accumulate

SAMPLE_RATE_HERTZ = 16_000
WINDOW_SECONDS = 30
WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE_HERTZ
FRAME_SAMPLES = 160
"""Samples of one feature frame: a hundred frames a second."""
WINDOW_FRAMES = WINDOW_SAMPLES // FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Span:
    """Samples ``start`` to ``end`` (not included) of the original audio at 16 kHz."""

    start: int
    end: int

    @property
    def samples(self) -> int:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Window:
    """What the model hears at once: spans put end to end, 30 s at most.

    ``frames`` counts its feature frames, ``offset_bytes`` says where in the spool they begin. ``channel`` is
    None for mixed audio. Windows of one channel are in the order of time.
    """

    channel: int | None
    spans: tuple[Span, ...]
    frames: int
    offset_bytes: int

    @property
    def start_seconds(self) -> float:
        """Where its first span begins in the original audio."""
        return self.spans[0].start / SAMPLE_RATE_HERTZ

    @property
    def end_seconds(self) -> float:
        """Where its last span ends in the original audio."""
        return self.spans[-1].end / SAMPLE_RATE_HERTZ

    @property
    def duration_seconds(self) -> float:
        """Seconds of audio in it, without what was left out between the spans."""
        return sum(span.samples for span in self.spans) / SAMPLE_RATE_HERTZ


@dataclass(frozen=True, slots=True)
class TimeMap:
    """Seconds within a window to seconds of the original audio."""

    spans: tuple[Span, ...]

    @property
    def duration_seconds(self) -> float:
        """Seconds of audio within the window."""
        return sum(span.samples for span in self.spans) / SAMPLE_RATE_HERTZ

    def interval(self, start_seconds: float, end_seconds: float) -> tuple[float, float]:
        """Both ends of what lies between, kept inside the one span that holds its middle.

        A word never reaches over a silence that the window leaves out.
        """
        ends = list(accumulate(span.samples for span in self.spans))
        middle = (start_seconds + end_seconds) / 2 * SAMPLE_RATE_HERTZ
        index = next((place for place, end in enumerate(ends) if middle < end), len(ends) - 1)
        span = self.spans[index]
        shift = span.start - (ends[index] - span.samples)

        def original(seconds: float) -> float:
            sample = seconds * SAMPLE_RATE_HERTZ + shift
            return min(max(sample, span.start), span.end) / SAMPLE_RATE_HERTZ

        return original(start_seconds), original(end_seconds)
