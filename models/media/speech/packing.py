"""Packing of speech into windows of at most thirty seconds, from a stream of blocks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.media.speech.spans import CHUNK_SAMPLES, SpeechFinder
from models.media.speech.windows import WINDOW_SAMPLES, Span
from schemas.options.types import VadParameters

Audio = NDArray[np.float32]


class Detector(Protocol):
    """Detector of speech in consecutive blocks."""

    def probabilities(self, block: Audio) -> NDArray[np.float32]:
        """Return the probability of speech per 512 samples of the block."""
        ...


@dataclass(slots=True)
class PackedWindow:
    """Spans and their samples, end to end."""

    spans: list[Span] = field(default_factory=list)
    pieces: list[Audio] = field(default_factory=list)
    samples: int = 0

    def audio(self) -> Audio:
        """Return all samples in one array."""
        return np.concatenate(self.pieces)


class SpanFinder(Protocol):
    """Selection of the spans to transcribe."""

    @property
    def needed_from(self) -> int:
        """The first sample that a later span can contain."""
        ...

    def feed(self, block: Audio) -> list[Span]:
        """Return the spans that are complete after this block."""
        ...

    def finish(self) -> list[Span]:
        """Return the spans that were open at the end."""
        ...


class SpeechSpans:
    """Spans of speech only. Blocks need not be multiples of the detector's 512 samples."""

    def __init__(self, detector: Detector, parameters: VadParameters | None = None) -> None:
        self._detector = detector
        self._finder = SpeechFinder(parameters)
        self._rest: Audio = np.zeros(0, np.float32)
        self._length = 0

    @property
    def needed_from(self) -> int:
        """The first sample that a later span can contain."""
        return self._finder.needed_from

    def feed(self, block: Audio) -> list[Span]:
        """Return the spans that are complete after this block."""
        self._length += len(block)
        held = np.concatenate([self._rest, block])
        whole = len(held) - len(held) % CHUNK_SAMPLES
        self._rest = held[whole:].copy()
        return self._finder.feed(self._detector.probabilities(held[:whole])) if whole else []

    def finish(self) -> list[Span]:
        """Return the spans that were open at the end."""
        last = np.pad(self._rest, (0, CHUNK_SAMPLES - len(self._rest)))
        found = self._finder.feed(self._detector.probabilities(last))
        return [*found, *self._finder.finish(self._length)]


class EverySpan:
    """Spans of all of the audio, cut every thirty seconds."""

    def __init__(self) -> None:
        self._length = 0
        self._from = 0

    @property
    def needed_from(self) -> int:
        """The first sample that a later span can contain."""
        return self._from

    def feed(self, block: Audio) -> list[Span]:
        """Return the spans that are complete after this block."""
        self._length += len(block)
        starts = range(self._from, self._length - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)
        spans = [Span(start, start + WINDOW_SAMPLES) for start in starts]
        self._from += len(spans) * WINDOW_SAMPLES
        return spans

    def finish(self) -> list[Span]:
        """Return the spans that were open at the end."""
        return [Span(self._from, self._length)] if self._length > self._from else []


class WindowPacker:
    """Packer of one channel's windows. Holds only the samples of the current window and span.

    The channel's first sample is number ``starts_at`` of the recording.
    """

    def __init__(self, finder: SpanFinder, *, starts_at: int = 0) -> None:
        self._finder = finder
        self._starts_at = starts_at
        self._held: Audio = np.zeros(0, np.float32)
        self._held_from = 0
        self._window = PackedWindow()
        self.speech_samples = 0

    def feed(self, block: Audio) -> Iterator[PackedWindow]:
        """Yield the windows that are full with this block."""
        self._held = np.concatenate([self._held, block])
        yield from self._pack(self._finder.feed(block))
        unneeded = min(max(0, self._finder.needed_from - self._held_from), len(self._held))
        self._held = self._held[unneeded:].copy()
        self._held_from += unneeded

    def finish(self) -> Iterator[PackedWindow]:
        """Yield the remaining windows."""
        yield from self._pack(self._finder.finish())
        if self._window.samples:
            yield self._window

    def _pack(self, spans: Iterable[Span]) -> Iterator[PackedWindow]:
        for span in spans:
            if self._window.samples and self._window.samples + span.samples > WINDOW_SAMPLES:
                yield self._window
                self._window = PackedWindow()
            piece = self._held[span.start - self._held_from : span.end - self._held_from]
            self._window.spans.append(Span(self._starts_at + span.start, self._starts_at + span.end))
            self._window.pieces.append(piece.copy())
            self._window.samples += span.samples
            self.speech_samples += span.samples
