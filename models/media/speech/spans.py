"""Spans of speech from speech probabilities, as a stream.

Rules and parameters are those of faster-whisper's ``get_speech_timestamps``, so that both find the same spans; the
defaults are those of its batched pipeline. Unlike it, spans are returned before the end of the audio.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from models.media.speech.windows import SAMPLE_RATE_HERTZ, Span
from schemas.options.types import VadParameters

CHUNK_SAMPLES: Final = 512
"""Samples per probability."""
CUT_SAMPLES: Final = 98 * SAMPLE_RATE_HERTZ // 1000
"""Silence at which a span that grows too long may be cut."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Parameters in samples. Between the two thresholds of probability, the previous state continues.

    ``padding`` is half of the silence where two spans are close. ``span`` is the longest one, before it is padded.
    """

    speech_threshold: float
    silence_threshold: float
    silence: int
    padding: int
    shortest: float
    span: float

    @classmethod
    def of(cls, parameters: VadParameters) -> Self:
        """Return the limits that parameters set."""
        padding = _samples(parameters.speech_pad_ms)
        return cls(
            speech_threshold=parameters.threshold,
            silence_threshold=parameters.silence_threshold,
            silence=_samples(parameters.min_silence_duration_ms),
            padding=padding,
            shortest=_samples(parameters.min_speech_duration_ms),
            span=parameters.max_speech_duration_s * SAMPLE_RATE_HERTZ - CHUNK_SAMPLES - 2 * padding,
        )


def _samples(milliseconds: int) -> int:
    return milliseconds * SAMPLE_RATE_HERTZ // 1000


class SpeechFinder:
    """Finder of the spans of one channel. Takes one probability per chunk of 512 samples, in order."""

    def __init__(self, parameters: VadParameters | None = None) -> None:
        self._limits = Limits.of(parameters or VadParameters())
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
        return max(0, start - self._limits.padding)

    def feed(self, probabilities: Iterable[float]) -> list[Span]:
        """Return the spans that are complete, padded, in order."""
        for probability in probabilities:
            self._step(probability, self._position)
            self._position += CHUNK_SAMPLES
        pending = self._pending
        padding = self._limits.padding
        far = pending is not None and self._position - pending.end >= 2 * padding
        if pending is not None and far and self._start is None:
            self._found.append(Span(pending.start, pending.end + padding))
            self._pending = None
        return self._take_found()

    def finish(self, length_samples: int) -> list[Span]:
        """Return the spans that were still open when the audio ended after ``length_samples``."""
        if self._start is not None and length_samples - self._start > self._limits.shortest:
            self._close(length_samples)
        if self._pending is not None:
            self._found.append(self._pending)
            self._pending = None
            last = self._found[-1]
            self._found[-1] = Span(last.start, min(length_samples, last.end + self._limits.padding))
        return self._take_found()

    def _take_found(self) -> list[Span]:
        found, self._found = self._found, []
        return found

    def _step(self, probability: float, at: int) -> None:
        limits = self._limits
        if probability >= limits.speech_threshold and self._silence:
            self._silence = 0
            if self._resume < self._cut:
                self._resume = at
        if self._start is None:
            if probability >= limits.speech_threshold:
                self._start = at
            return
        if at - self._start > limits.span and not self._split(at):
            return
        if probability < limits.silence_threshold and self._start is not None:
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
        if at - self._silence >= self._limits.silence:
            if self._silence - (self._start or 0) > self._limits.shortest:
                self._close(self._silence)
            else:
                self._forget()

    def _close(self, end: int) -> None:
        start = self._start or 0
        pending = self._pending
        wanted = self._limits.padding
        gap = 2 * wanted if pending is None else start - pending.end
        padding = wanted if gap >= 2 * wanted else gap // 2
        if pending is not None:
            self._found.append(Span(pending.start, pending.end + padding))
        self._pending = Span(max(0, start - padding), end)
        self._forget()

    def _forget(self) -> None:
        """Go back to silence."""
        self._start = None
        self._silence = self._cut = self._resume = 0
