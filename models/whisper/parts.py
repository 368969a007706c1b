"""A window at work, whole or in the pieces that it had to be cut into."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import FRAME_SAMPLES, WINDOW_FRAMES, Span, Window
from models.whisper.gate import Decoded, Ruling
from models.whisper.rows import Sound
from models.whisper.text.segments import HeardWindow

SPLITS_LIMIT = 2
"""Halves, and halves of halves."""
SPLITTABLE_FRAMES = 800
"""Shorter windows are not split: eight seconds of speech never fill the token limit."""


@dataclass(slots=True, eq=False)
class Part:
    """A window, or a piece of one that was too dense; ``heard`` is set when it is done."""

    window: Window
    sound: Sound
    splits: int = 0
    attempts: tuple[Decoded, ...] = ()
    ruling: Ruling | None = None
    heard: HeardWindow | None = None
    pieces: tuple["Part", ...] = ()

    def leaves(self) -> Iterator["Part"]:
        """Itself, or the pieces it was split into, in the order of time."""
        if not self.pieces:
            yield self
        for piece in self.pieces:
            yield from piece.leaves()

    @property
    def splittable(self) -> bool:
        """Whether it may be cut in two when it holds more words than the token limit."""
        return self.splits < SPLITS_LIMIT and self.window.frames > SPLITTABLE_FRAMES

    @property
    def done(self) -> bool:
        """Whether all of it was heard."""
        return all(leaf.heard is not None for leaf in self.leaves())


def split(part: Part) -> tuple[Part, Part]:
    """Two halves of a window, cut between spans where one ends in its middle third, else in the middle."""
    frames = part.window.frames
    edges: list[int] = []
    samples = 0
    for span in part.window.spans[:-1]:
        samples += span.samples
        edges.append(samples // FRAME_SAMPLES)
    near = [edge for edge in edges if frames / 3 <= edge <= frames * 2 / 3]
    cut = min(near, key=lambda edge: abs(edge - frames / 2)) if near else frames // 2
    halves = _cut_spans(part.window.spans, cut * FRAME_SAMPLES)
    return _piece(part, halves[0], 0, cut), _piece(part, halves[1], cut, frames)


def _piece(part: Part, spans: tuple[Span, ...], first_frame: int, end_frame: int) -> Part:
    def read() -> NDArray[np.float32]:
        return part.sound.read()[:, first_frame:end_frame]

    window = replace(part.window, spans=spans, frames=min(end_frame - first_frame, WINDOW_FRAMES))
    return Part(window, Sound(read, window.duration_seconds), splits=part.splits + 1)


def _cut_spans(spans: tuple[Span, ...], samples: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    before: list[Span] = []
    after: list[Span] = []
    for span in spans:
        inside = min(max(samples, 0), span.samples)
        if inside:
            before.append(Span(span.start, span.start + inside))
        if inside < span.samples:
            after.append(Span(span.start + inside, span.end))
        samples -= span.samples
    return tuple(before), tuple(after)
