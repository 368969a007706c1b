"""Spans of speech from speech probabilities, as a stream.

Rules and thresholds are those of faster-whisper's ``get_speech_timestamps`` as its batched pipeline sets them, so
that both find the same spans. Unlike it, spans are returned before the end of the audio.
"""

from collections.abc import Iterable
from typing import Final

from models.media.speech.windows import SAMPLE_RATE_HERTZ, WINDOW_SAMPLES, Span

CHUNK_SAMPLES: Final = 512
"""Samples per probability."""
SPEECH_THRESHOLD: Final = 0.5
SILENCE_THRESHOLD: Final = 0.35
"""Between the two thresholds, the previous state continues."""
SILENCE_SAMPLES: Final = 160 * SAMPLE_RATE_HERTZ // 1000
"""Silence that ends a span."""
CUT_SAMPLES: Final = 98 * SAMPLE_RATE_HERTZ // 1000
"""Silence at which a span that grows too long may be cut."""
PADDING_SAMPLES: Final = 400 * SAMPLE_RATE_HERTZ // 1000
"""Padding on either side of speech; half of the silence where two spans are close."""
SPAN_SAMPLES: Final = WINDOW_SAMPLES - CHUNK_SAMPLES - 2 * PADDING_SAMPLES
"""Longest span before padding: padded, it still fits a window."""


class SpeechFinder:
    """Finder of the spans of one channel. Takes one probability per chunk of 512 samples, in order."""

    def __init__(self) -> None:
        self._position = 0
        self._start: int | None = None
        self._silence = 0  # start of the current silence; 0: none
        self._cut = 0  # the last silence long enough to cut at
        self._resume = 0  # where speech continued after it
        self._pending: Span | None = None  # its padding depends on the next span's start
        self._found: list[Span] = []

    @property
    def needed_from(self) -> int:
        """The first sample that a later span can contain."""
        if self._pending is not None:
            return self._pending.start
        start = self._position if self._start is None else self._start
        return max(0, start - PADDING_SAMPLES)

    def feed(self, probabilities: Iterable[float]) -> list[Span]:
        """Return the spans that are complete, padded, in order."""
        for probability in probabilities:
            self._step(probability, self._position)
            self._position += CHUNK_SAMPLES
        pending = self._pending
        far = pending is not None and self._position - pending.end >= 2 * PADDING_SAMPLES
        if pending is not None and far and self._start is None:
            self._found.append(Span(pending.start, pending.end + PADDING_SAMPLES))
            self._pending = None
        return self._take_found()

    def finish(self, length_samples: int) -> list[Span]:
        """Return the spans that were still open when the audio ended after ``length_samples``."""
        if self._start is not None and self._start < length_samples:
            self._close(length_samples)
        if self._pending is not None:
            self._found.append(self._pending)
            self._pending = None
            last = self._found[-1]
            self._found[-1] = Span(last.start, min(length_samples, last.end + PADDING_SAMPLES))
        return self._take_found()

    def _take_found(self) -> list[Span]:
        found, self._found = self._found, []
        return found

    def _step(self, probability: float, at: int) -> None:
        if probability >= SPEECH_THRESHOLD and self._silence:
            self._silence = 0
            if self._resume < self._cut:
                self._resume = at
        if self._start is None:
            if probability >= SPEECH_THRESHOLD:
                self._start = at
            return
        if at - self._start > SPAN_SAMPLES and not self._split(at):
            return
        if probability < SILENCE_THRESHOLD and self._start is not None:
            self._extend_silence(at)

    def _split(self, at: int) -> bool:
        """End a span that is too long; return whether this chunk may still count as silence."""
        if not self._cut:
            self._close(at)
            return False
        resume = self._resume if self._resume >= self._cut else None
        self._close(self._cut)
        self._start = resume
        return True

    def _extend_silence(self, at: int) -> None:
        self._silence = self._silence or at
        if at - self._silence > CUT_SAMPLES:
            self._cut = self._silence
        if at - self._silence >= SILENCE_SAMPLES:
            self._close(self._silence)

    def _close(self, end: int) -> None:
        start = self._start or 0
        pending = self._pending
        gap = 2 * PADDING_SAMPLES if pending is None else start - pending.end
        padding = PADDING_SAMPLES if gap >= 2 * PADDING_SAMPLES else gap // 2
        if pending is not None:
            self._found.append(Span(pending.start, pending.end + padding))
        self._pending = Span(max(0, start - padding), end)
        self._start = None
        self._silence = self._cut = self._resume = 0
